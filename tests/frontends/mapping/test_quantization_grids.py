from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_frontends.mapping.quantization_grids import CentredGrids, Grid, nudged, stored

HUGE = np.float32(3e38)
ENDS = st.floats(-(2.0**20), 2.0**20, width=32)
ROOM = 2.0**-10


@st.composite
def ranges(draw: Any) -> tuple[np.float32, np.float32]:
    low, high = sorted((draw(ENDS), draw(ENDS)))
    return np.float32(low), np.float32(high if high - low > ROOM else low + 1)


def assert_is_grid_of(grid: Grid, quantised: Callable[[Any], Any]) -> None:
    """TensorFlow's own ends are the grid's, and what it makes of numbers between them is on the grid, to the bit."""
    assert quantised(-HUGE) == grid.minimum
    assert quantised(HUGE) == grid.maximum
    inside = np.linspace(grid.minimum, grid.maximum, 301, dtype=np.float32)
    rounded = quantised(inside)
    steps = np.rint(rounded / grid.scale)
    np.testing.assert_array_equal(steps.astype(np.float32) * grid.scale, rounded)
    assert np.abs(rounded - inside).max() <= 0.5001 * grid.scale + 1e-6 * np.abs(inside).max()


@given(ends=ranges(), bits=st.integers(2, 16), narrow=st.booleans())
def test_a_nudged_grid_is_that_of_fake_quant(
    tf: Any, ends: tuple[np.float32, np.float32], bits: int, narrow: bool
) -> None:
    def per_channel(x: Any) -> Any:
        rows = np.reshape(x, (-1, 1))
        channel = [np.array([end]) for end in ends]
        return np.reshape(
            tf.quantization.fake_quant_with_min_max_vars_per_channel(rows, *channel, bits, narrow), np.shape(x)
        )

    def whole(x: Any) -> Any:
        return tf.quantization.fake_quant_with_min_max_vars(x, *ends, bits, narrow).numpy()

    grid = nudged(*ends, bits=bits, narrow=narrow)
    assert_is_grid_of(grid, whole)
    assert_is_grid_of(grid, per_channel)
    if ends[0] <= 0 <= ends[1]:
        assert int(narrow) <= grid.zero_point <= 2**bits - 1
        assert whole(np.float32(0)) == 0


@given(ends=ranges(), bits=st.integers(2, 16), narrow=st.booleans(), signed=st.booleans())
def test_a_centred_grid_is_that_of_quantize_and_dequantize(
    tf: Any, ends: tuple[np.float32, np.float32], bits: int, narrow: bool, signed: bool
) -> None:
    low, high = -abs(ends[0]), abs(ends[1]) + np.float32(ROOM)

    def quantised(x: Any) -> Any:
        return tf.raw_ops.QuantizeAndDequantizeV4(
            input=x, input_min=low, input_max=high, range_given=True,
            signed_input=signed, num_bits=bits, narrow_range=narrow,
        ).numpy()  # fmt: skip

    grids = CentredGrids(bits=bits, signed=signed, narrow=narrow, half_up=False)
    assert_is_grid_of(grids.of(low, high), quantised)


@pytest.mark.parametrize(
    ("bits", "narrow", "dtype", "saturates"),
    [(8, False, "uint8", True), (8, True, "uint8", False), (7, False, "uint8", False), (16, False, "uint16", True)],
)
def test_integers_that_go_further_than_the_grid_do_not_saturate(
    bits: int, narrow: bool, dtype: str, saturates: bool
) -> None:
    grid = nudged(-1, 1, bits=bits, narrow=narrow)
    assert (grid.dtype, grid.saturates) == (dtype, saturates)


def test_a_range_of_zero_alone_gives_zero_whatever_is_put_in(tf: Any) -> None:
    grid = nudged([0, -1], [0, 1], bits=8, narrow=False, axis=-1)
    assert (grid.minimum[0], grid.maximum[0], grid.scale[0], grid.saturates) == (0, 0, 1, False)
    given = np.array([[5, 5]], np.float32)
    assert tf.quantization.fake_quant_with_min_max_vars_per_channel(given, [0.0, -1], [0.0, 1]).numpy()[0, 0] == 0


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [(2, 1, "its range is 2.0 to 1.0"), (0, np.inf, "its range is 0.0 to inf"), (3, 3, "its range is 3.0 alone")],
)
def test_a_range_without_a_grid_is_refused(low: float, high: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        nudged(low, high, bits=8, narrow=False)


def test_a_range_without_integers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"its range ends at -1\.0, and its integers are not negative"):
        CentredGrids(bits=8, signed=False, narrow=False, half_up=False).of(-2, -1)
    with pytest.raises(ValueError, match="ONNX cannot quantise to 20 bits"):
        CentredGrids(bits=20, signed=True, narrow=False, half_up=False).of(-1, 1)


def test_a_stored_grid_ends_where_its_integers_do() -> None:
    grid = stored(0.5, 3, None, dtype="uint8")
    assert (grid.minimum, grid.maximum, grid.saturates) == (-1.5, 126.0, True)

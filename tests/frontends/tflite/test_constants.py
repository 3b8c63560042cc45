from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxpress_frontends.tflite.constants import dequantized, read_grid, read_values


def quantised(scale: Any, zero_point: Any = None, axis: int = 0, details: int = 0) -> Any:
    quantization = SimpleNamespace(scale=scale, zeroPoint=zero_point, quantizedDimension=axis, detailsType=details)
    return SimpleNamespace(quantization=quantization, sparsity=None)


PLAIN = quantised(None)


def test_integers_of_four_bits_are_spread() -> None:
    """The lower half of a byte comes first; an odd one leaves the last half empty."""
    values = read_values(PLAIN, np.array([0x7F, 0x08], np.uint8), "int4", (3,))
    assert (values.dtype, values.tolist()) == (np.int8, [-1, 7, -8])


def test_bytes_become_numbers() -> None:
    content = np.arange(6, dtype=np.float32).view(np.uint8)
    np.testing.assert_array_equal(read_values(PLAIN, content, "float32", (2, 3)), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("dtype", "message"), [("float32", "5 bytes for 2 values of type float32"), ("int4", "4 bits")]
)
def test_too_few_bytes(dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_values(PLAIN, np.zeros(5, np.uint8), dtype, (2,))


def test_a_shape_beyond_any_file() -> None:
    with pytest.raises(ValueError, match="it is larger than a file can be"):
        read_values(PLAIN, np.zeros(5, np.uint8), "float32", (2**20, 2**20))


def test_one_scale() -> None:
    grid = read_grid(quantised([0.5], [3]), "uint8", (None, 4))
    assert grid is not None
    assert (float(grid.scale), int(grid.zero_point), grid.axis, grid.dtype) == (0.5, 3, None, "uint8")


def test_scales_by_channel_count_their_axis_from_the_last() -> None:
    grid = read_grid(quantised([0.5, 2.0], [0], axis=1), "int8", (3, 2))
    assert grid is not None
    assert (grid.scale.tolist(), grid.zero_point.tolist(), grid.axis) == ([0.5, 2.0], [0, 0], -1)


def test_a_channel_of_zeros_may_have_no_scale() -> None:
    grid = read_grid(quantised([0.0, 1.0]), "int8", (2,), constant=True)
    assert grid is not None
    assert grid.scale.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("given", [quantised(None), quantised([]), SimpleNamespace(quantization=None)])
def test_plain_numbers_have_no_grid(given: Any) -> None:
    assert read_grid(given, "int8", (2,)) is None
    assert read_grid(quantised([0.5]), "float32", (2,)) is None


@pytest.mark.parametrize(
    ("given", "dtype", "message"),
    [
        (quantised([0.0]), "int8", "a scale of its quantisation is not positive"),
        (quantised([float("nan")]), "int8", "a scale of its quantisation is not positive"),
        (quantised([1.0], [200]), "int8", "its zero points do not fit"),
        (quantised([1.0, 2.0], [0, 0, 0]), "int8", "its zero points do not fit"),
        (quantised([1.0, 2.0], axis=1), "int8", "it has 2 scales along axis 1 of"),
        (quantised([1.0, 2.0], axis=7), "int8", "it has 2 scales along axis 7 of"),
    ],
)
def test_quantisation_that_does_not_fit(given: Any, dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_grid(given, dtype, (2, 3))


@pytest.mark.parametrize(
    ("given", "dtype", "message"),
    [
        (quantised([1.0], details=2), "int8", "it is quantised by blocks"),
        (quantised([1.0]), "uint16", "it is quantised to uint16"),
        (quantised([1.0], [1]), "int32", "it is quantised to int32 with a zero point"),
    ],
)
def test_quantisation_that_onnx_has_not(given: Any, dtype: str, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        read_grid(given, dtype, (2, 3))


def test_integers_of_64_bits_become_what_they_stand_for() -> None:
    grid = read_grid(quantised([0.5, 2.0]), "int64", (2,))
    assert grid is not None
    numbers = dequantized(np.array([2**33, -3]), grid)
    assert (numbers.dtype, numbers.tolist()) == (np.float32, [2.0**32, -6.0])

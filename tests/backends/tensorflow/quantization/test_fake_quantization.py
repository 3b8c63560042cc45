"""The range that FakeQuant is told gives the grid back, by TensorFlow's formula and by TensorFlow itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_backends.tensorflow.layout.constants import Grid
from onnxpress_backends.tensorflow.quantization.fake_quantization import FakeRange, fake_range

TYPES = ["int8", "uint8", "int16", "uint16"]


def grid(scale: Any, zero_point: Any) -> Grid:
    return Grid(scale=np.asarray(scale, np.float32), zero_point=zero_point, axis=0 if np.ndim(scale) else None)


def told(scale: Any, zero_point: Any, *, narrow: bool = False) -> FakeRange:
    made = fake_range(grid(scale, zero_point), narrow=narrow)
    assert made is not None
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.float32, Any, bool]:
    dtype, narrow = draw(st.sampled_from(TYPES)), draw(st.booleans())
    limits = np.iinfo(dtype)
    zero = draw(st.integers(limits.min + narrow, limits.max))
    return np.float32(draw(st.floats(1e-30, 1e30))), np.array(zero, dtype), narrow


@given(cases())
def test_nudging_gives_the_grid_back(case: tuple[np.float32, Any, bool]) -> None:
    scale, zero, narrow = case
    range_ = told(scale, zero, narrow=narrow)
    nudged, origin = range_.nudged()
    assert abs(nudged - scale) <= np.spacing(scale)
    assert origin + np.iinfo(zero.dtype).min == zero
    assert range_.minimum <= 0 <= range_.maximum
    steps = 2**range_.bits - 1 - narrow
    spans = np.float32(scale * np.float64(steps)) + np.arange(-3, 4, dtype=np.float32) * np.spacing(
        np.float32(scale * steps)
    )
    if (spans / np.float32(steps) == scale).any():
        assert nudged == scale


@pytest.mark.parametrize(("narrow", "misses"), [(False, 1 / 256), (True, 1 / 128)])
def test_how_often_no_float32_spans_the_grid(narrow: bool, misses: float) -> None:
    scale = np.random.default_rng(0).uniform(1, 2, 100_000).astype(np.float32)
    nudged, _ = told(scale, np.zeros(len(scale), np.int8), narrow=narrow).nudged()
    assert np.mean(nudged != scale) < 1.1 * misses


def test_ends_of_symmetric_weights_are_symmetric() -> None:
    scale = np.random.default_rng(0).uniform(1, 2, 1000).astype(np.float32)
    made = told(scale, np.zeros(len(scale), np.int8), narrow=True)
    np.testing.assert_array_equal(made.minimum, -made.maximum)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("narrow", [False, True])
def test_tensorflow_nudges_as_the_formula_says(tf: Any, dtype: str, narrow: bool) -> None:
    limits = np.iinfo(dtype)
    generator = np.random.default_rng(0)
    scale = np.exp2(generator.uniform(-20, 20, 64)).astype(np.float32)
    zero = generator.integers(limits.min + narrow, limits.max, 64, endpoint=True).astype(dtype)
    made = told(scale, zero, narrow=narrow)
    fake = {"num_bits": made.bits, "narrow_range": made.narrow}
    far = np.stack([np.full(64, -3e38), np.full(64, 3e38)]).astype(np.float32)
    ends = tf.quantization.fake_quant_with_min_max_vars_per_channel(far, made.minimum, made.maximum, **fake)
    nudged, origin = made.nudged()
    low, high = np.float32(narrow) - origin, 2**made.bits - 1 - origin
    np.testing.assert_array_equal(ends, np.stack([low, high]).astype(np.float32) * nudged)


def test_no_range_says_a_grid_of_32_bits_or_beyond_float32() -> None:
    assert fake_range(grid(1.0, np.array(0, np.int32))) is None
    assert fake_range(grid(1e37, np.array(0, np.uint8))) is None
    assert fake_range(grid([1.0, 1e37], np.array([0, 0], np.uint8))) is None

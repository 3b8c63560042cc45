"""Filters and coordinates of resized axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulas import a_call
from onnxpress_backends.tensorflow.geometry.resampling import Filter, Stretch, coordinates, cubic, nearest
from onnxpress_backends.tensorflow.geometry.terms import term
from onnxpress_backends.tensorflow.graphs.dtypes import DType


def stretch(size: int, out: int) -> Stretch:
    call = a_call()
    return Stretch(size=term(call, size), out=term(call, out), scale=term(call, out / size, DType.FLOAT))


@given(
    size=st.integers(1, 12),
    out=st.integers(1, 24),
    a=st.sampled_from([None, -0.5, -0.75]),
    antialias=st.booleans(),
    exclude=st.booleans(),
)
def test_weights_of_elements_inside_make_one(size: int, out: int, a: float | None, antialias: bool, exclude: bool):
    axis = stretch(size, out)
    taps = Filter(cubic=a, antialias=antialias, exclude_outside=exclude).taps(coordinates(axis, "half_pixel"), axis)
    assert taps.weights is not None
    positions, weights = taps.positions.known, taps.weights.known
    assert positions is not None
    assert weights is not None
    assert positions.shape == weights.shape
    assert positions.min() >= 0
    assert positions.max() < size
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    if antialias and out < size:
        assert weights.shape[1] >= size // out


@pytest.mark.parametrize(
    ("rounding", "picked"),
    [
        ("floor", [0, 0, 1, 1]),
        ("ceil", [0, 1, 1, 2]),
        ("round_prefer_floor", [0, 0, 1, 1]),
        ("round_prefer_ceil", [0, 1, 1, 2]),
    ],
)
def test_halves_are_rounded_as_asked(rounding: str, picked: list[int]):
    axis = stretch(3, 4)
    where = term(axis.out.call, [0, 0.5, 1, 1.5], DType.FLOAT)
    assert nearest(where, rounding, axis.size).known.tolist() == picked  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("half_pixel", [-0.25, 0.25, 0.75, 1.25]),
        ("asymmetric", [0, 0.5, 1, 1.5]),
        ("align_corners", [0, 1 / 3, 2 / 3, 1]),
        ("tf_half_pixel_for_nn", [0.25, 0.75, 1.25, 1.75]),
    ],
)
def test_coordinates(mode: str, expected: list[float]):
    np.testing.assert_allclose(coordinates(stretch(2, 4), mode).known, expected, rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("a", [-0.5, -0.75])
def test_cubic_is_continuous_and_vanishes_at_other_elements(a: float):
    far = term(a_call(), [0, 1, 2, 3, 0.99999, 1.00001], DType.DOUBLE)
    np.testing.assert_allclose(cubic(far, a).known, [1, 0, 0, 0, 0, 0], atol=1e-4)  # type: ignore[arg-type]

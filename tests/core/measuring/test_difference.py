from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxpress.errors import InvalidData, UnsupportedModel
from onnxpress.measuring.difference import Difference

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)
FLOATS = st.floats(-1e6, 1e6, width=32)


def arrays(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    one = hnp.arrays(np.float32, shape, elements=FLOATS)
    return st.tuples(one, one)


@given(SHAPES.flatmap(arrays), st.integers(1, 4))
def test_metrics_are_the_formulas_however_the_rows_are_split(pair: tuple[np.ndarray, np.ndarray], size: int) -> None:
    a, b = pair
    difference = Difference("y")
    for start in range(0, len(a), size):
        difference.update(a[start : start + size], b[start : start + size])
    found = difference.result()
    x, y = a.astype(np.float64), b.astype(np.float64)
    noise = np.sum((x - y) ** 2)
    assert found.max_abs == np.abs(x - y).max()
    assert found.mean_abs == pytest.approx(np.abs(x - y).mean(), rel=1e-9)
    if noise and x.any():
        assert found.sqnr_db == pytest.approx(10 * np.log10(np.sum(x * x) / noise), abs=1e-6)
        assert found.max_relative == pytest.approx(np.abs(x - y).max() / np.abs(x).max())
    if x.any() and y.any():
        norms = np.linalg.norm(x.ravel()) * np.linalg.norm(y.ravel())
        assert found.cosine == pytest.approx(np.vdot(x, y) / norms, abs=1e-9)


@given(hnp.arrays(np.float32, SHAPES, elements=FLOATS))
def test_equal_outputs_differ_by_nothing(a: np.ndarray) -> None:
    difference = Difference("y")
    difference.update(a, a.copy())
    found = difference.result()
    assert (found.max_abs, found.mean_abs, found.max_relative) == (0, 0, 0)
    assert found.sqnr_db == math.inf
    assert found.cosine == pytest.approx(1)
    assert found.top1_agreement in (None, 1.0)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=FLOATS), st.integers(0, 99))
def test_top1_agreement_and_accuracy(a: np.ndarray, seed: int) -> None:
    b = np.random.default_rng(seed).permutation(a.ravel()).reshape(a.shape)
    labels = np.random.default_rng(seed).integers(0, a.shape[1], len(a))
    difference = Difference("y")
    difference.update(a[:, :, np.newaxis, np.newaxis], b[:, :, np.newaxis, np.newaxis], labels)
    assert difference.result().top1_agreement == np.mean(a.argmax(1) == b.argmax(1))
    assert difference.right_a == np.sum(a.argmax(1) == labels)
    assert difference.right_b == np.sum(b.argmax(1) == labels)


def test_silence_against_noise() -> None:
    difference = Difference("y")
    difference.update(np.zeros((1, 2)), np.ones((1, 2)))
    found = difference.result()
    assert (found.sqnr_db, found.cosine, found.max_relative) == (-math.inf, 0, math.inf)


def test_infinities_that_agree_are_no_error_and_nan_is_not_hidden() -> None:
    difference = Difference("y")
    difference.update(np.array([[np.inf, 1.0]]), np.array([[np.inf, 1.5]]))
    assert difference.result().max_abs == 0.5
    difference.update(np.array([[0.0, 1.0]]), np.array([[np.nan, 1.0]]))
    difference.update(np.array([[0.0, 1.0]]), np.array([[9.0, 1.0]]))
    found = difference.result()
    assert math.isnan(found.max_abs)
    assert math.isnan(found.sqnr_db)


def test_feature_maps_have_no_top1() -> None:
    difference = Difference("y")
    difference.update(np.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    assert difference.result().top1_agreement is None


def test_refusals() -> None:
    difference = Difference("y")
    with pytest.raises(UnsupportedModel, match=r"output 'y' has shape \[1, 2\] in A and \[1, 3\] in B"):
        difference.update(np.zeros((1, 2)), np.zeros((1, 3)))
    with pytest.raises(UnsupportedModel, match="output 'y' holds object, which has no numeric error"):
        difference.update(np.array([["a", "b"]], object), np.array([["a", "b"]], object))
    with pytest.raises(InvalidData, match="labels reach from 1 to 2, classes from 0 to 1"):
        difference.update(np.zeros((2, 2)), np.zeros((2, 2)), np.array([1, 2]))

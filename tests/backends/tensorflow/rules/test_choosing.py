"""TopK, NonZero, Compress and Unique."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal
from onnxpress.errors import UnsupportedModel

Agree = Callable[..., list[str]]


@FEW
@given(
    axis=st.integers(-3, 2),
    largest=st.integers(0, 1),
    dtype=st.sampled_from(["float32", "float64", "int32", "int64", "uint8"]),
    known=st.booleans(),
    unknown=st.sampled_from([(), ("x",)]),
)
def test_top_k(agree: Agree, axis: int, largest: int, dtype: str, known: bool, unknown: tuple[str, ...]):
    x = np.random.default_rng(0).integers(0, 5, (3, 4, 5)).astype(dtype)
    inputs = {"x": x, "k": np.array([2])}
    constants = ["k"] * known
    node = case("TopK", inputs, constants=constants, unknown=unknown, outputs=2, axis=axis, largest=largest)
    agree(node.model, node.feeds)


def test_the_smallest_integers_of_all(run_tensorflow: Callable[..., dict[str, Any]]):
    for dtype in ("int64", "int8", "uint64"):
        info = np.iinfo(dtype)
        x = np.array([info.max, info.min, 3, info.max - 1], dtype)
        node = case("TopK", {"x": x, "k": np.array([4])}, outputs=2, largest=0)
        results = run_tensorflow(node.model, node.feeds)
        assert results["y0"].tolist() == sorted(x.tolist())
        assert results["y1"].tolist() == [1, 2, 3, 0]


def test_non_zero(agree: Agree):
    x = np.array([[0, 1, 0], [2, 0, -3]], np.int64)
    for unknown in ((), ("x",)):
        node = case("NonZero", {"x": x}, unknown=unknown)
        agree(node.model, node.feeds)


@pytest.mark.parametrize("attributes", [{}, {"axis": 0}, {"axis": -1}])
def test_compress(agree: Agree, attributes: dict[str, int]):
    node = case("Compress", {"x": normal(3, 4), "m": np.array([False, True, True])}, **attributes)
    agree(node.model, node.feeds)


def test_compress_keeps_the_layout(agree: Agree):
    text = """agraph (float[2,5,6,4] x, bool[4] m) => (float[2,5,6,k] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) d = Compress<axis = 1>(c, m) y = Transpose<perm = [0, 2, 3, 1]>(d) }"""
    assert "Transpose" not in agree(text, {"x": normal(2, 5, 6, 4), "m": np.array([True, False, True, True])})


@FEW
@given(
    axis=st.sampled_from([None, 0, 1, -1, 2]),
    ordered=st.integers(0, 1),
    dtype=st.sampled_from(["float32", "int64", "int8"]),
    seed=st.integers(0, 99),
)
def test_unique(agree: Agree, axis: int | None, ordered: int, dtype: str, seed: int):
    x = np.random.default_rng(seed).integers(-1, 2, (4, 3, 2)).astype(dtype)
    attributes = {"sorted": ordered} | ({} if axis is None else {"axis": axis})
    node = case("Unique", {"x": x}, outputs=4, **attributes)
    agree(node.model, node.feeds)


def test_unique_refuses_to_sort_what_tensorflow_cannot(agree: Agree):
    text = "agraph (string[3] x) => (string[k] y) { y = Unique(x) }"
    with pytest.raises(UnsupportedModel, match="TensorFlow cannot sort strings; set sorted to 0"):
        agree(text, {"x": np.array(["b", "a", "b"], object)})
    node = case("Unique", {"x": normal(3, 70)}, axis=0)
    with pytest.raises(UnsupportedModel, match="slices are sorted element by element, and may have 64 at most"):
        agree(node.model, node.feeds)

"""ArgMax and ArgMin: the first and the last of equals, in any layout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Agree = Callable[..., list[str]]

X = np.random.default_rng(0).integers(0, 3, (2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize(("axis", "keep", "shape"), [(1, 1, "a,1,c,d"), (-2, 0, "a,b,d"), (0, 0, "b,c,d")])
def test_first_and_last_of_equals(agree: Agree, op: str, last: int, axis: int, keep: int, shape: str):
    node = f"y = {op}<axis = {axis}, keepdims = {keep}, select_last_index = {last}>(x)"
    agree(f"agraph (float[a,b,c,d] x) => (int64[{shape}] y) {{ {node} }}", {"x": X})


def test_classes_of_pixels(agree: Agree):
    text = """agraph (float[2,4,5,6] x) => (int64[2,4,5] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) y = ArgMax<axis = 1, keepdims = 0>(c) }"""
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 6)).astype(np.float32)
    assert "Transpose" not in agree(text, {"x": x})


@pytest.mark.parametrize(("axis", "keep"), [(-2, 1), (1, 0), (-1, 1)])
def test_of_an_unknown_rank(agree: Agree, axis: int, keep: int):
    agree(f"agraph (float[] x) => (int64[] y) {{ y = ArgMax<axis = {axis}, keepdims = {keep}>(x) }}", {"x": X})

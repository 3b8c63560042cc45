"""Einsum: what ONNX allows in an equation and TensorFlow does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from one_node import case, normal

Agree = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        (" i j , j k -> i k ", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba", [(2, 3)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
        ("...ij,...jk", [(5, 2, 3), (5, 3, 4)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
        ("i,i", [(3,), (3,)]),
        ("ij->", [(2, 3)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("a,b,c,d->dcba", [(2,), (3,), (4,), (5,)]),
        ("Ab,bC->AC", [(2, 3), (3, 4)]),
    ],
)
def test_equations(agree: Agree, equation: str, shapes: list[tuple[int, ...]]):
    inputs = {f"x{index}": normal(*shape, seed=index) for index, shape in enumerate(shapes)}
    for unknown in ((), ("x0",)):
        node = case("Einsum", inputs, unknown=unknown, equation=equation)
        agree(node.model, node.feeds)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
def test_types(agree: Agree, dtype: str):
    inputs = {"a": np.arange(6).reshape(2, 3).astype(dtype), "b": np.arange(12).reshape(3, 4).astype(dtype)}
    node = case("Einsum", inputs, equation="ij,jk->ik")
    agree(node.model, node.feeds)


def test_operands_are_taken_as_they_lie(agree: Agree):
    text = """agraph (float[2,5,6,4] x, float[4,3] w) => (float[2,5,6,3] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) v = Transpose(w) y = Einsum<equation = "bchw,kc->bhwk">(c, v) }"""
    ops = agree(text, {"x": normal(2, 5, 6, 4), "w": normal(4, 3)})
    assert ops == ["Placeholder", "Placeholder", "Einsum"]

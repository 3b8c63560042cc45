"""MatMul, Gemm and Det: all ranks, types and layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]
SHAPES = [
    ((4,), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 5)),
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4, 5)),
    ((6, 2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((6, 1, 3, 4), (2, 4, 5)),
]


@FEW
@given(
    shapes=st.sampled_from(SHAPES),
    constants=st.sampled_from([(), ("a",), ("b",)]),
    unknown=st.sampled_from([(), ("a",), ("a", "b")]),
    dtype=st.sampled_from(["float32", "float64", "int32", "int64", "uint32", "uint64"]),
)
def test_mat_mul(
    agree: Agree, shapes: tuple[Any, Any], constants: tuple[str, ...], unknown: tuple[str, ...], dtype: str
):
    left, right = ((normal(*shape, seed=len(shape)) * 4).astype("int8").astype(dtype) for shape in shapes)
    node = case("MatMul", {"a": left, "b": right}, constants=constants, unknown=unknown)
    agree(node.model, node.feeds)


@FEW
@given(
    flags=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    addend=st.sampled_from([None, (5,), (1,), (), (3, 5), (3, 1), (1, 5)]),
    factors=st.tuples(st.sampled_from([1.0, 0.5]), st.sampled_from([1.0, 0.25, 0.0])),
    constants=st.sampled_from([(), ("b", "c"), ("a",)]),
)
def test_gemm(agree: Agree, flags: tuple[int, int], addend: Any, factors: tuple[float, float], constants: Any):
    inputs = {
        "a": normal(4, 3) if flags[0] else normal(3, 4),
        "b": normal(5, 4, seed=1) if flags[1] else normal(4, 5, seed=1),
        "c": None if addend is None else normal(*addend, seed=2),
    }
    attributes = {"transA": flags[0], "transB": flags[1], "alpha": factors[0], "beta": factors[1]}
    node = case("Gemm", inputs, constants=[name for name in constants if inputs[name] is not None], **attributes)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("perm", [[0, 2, 1], [1, 0, 2], [2, 0, 1], [1, 2, 0]])
def test_transposed_operands(agree: Agree, perm: list[int]):
    turned = [(2, 3, 4)[perm.index(axis)] for axis in range(3)]
    dims = ",".join(map(str, turned))
    text = f"""agraph (float[{dims}] a, float[2,5,4] b, float[5,4] w) => (float[2,3,5] y, float[2,3,5] z) {{
        t = Transpose<perm = {perm}>(a) k = Transpose<perm = [0, 2, 1]>(b) y = MatMul(t, k)
        v = Transpose(w) z = MatMul(t, v) }}"""
    feeds = {"a": normal(*turned), "b": normal(2, 5, 4, seed=1), "w": normal(5, 4, seed=2)}
    agree(text, feeds)


def test_swapped_axes_are_multiplied_as_they_lie(agree: Agree):
    text = """agraph (float[2,3,4] a, float[2,5,4] b) => (float[2,3,5] y) {
        k = Transpose<perm = [0, 2, 1]>(b) y = MatMul(a, k) }"""
    ops = agree(text, {"a": normal(2, 3, 4), "b": normal(2, 5, 4)})
    assert ops == ["Placeholder", "Placeholder", "BatchMatMulV2"]


def test_weights_of_linear_layers_are_not_transposed(agree: Agree):
    text = """agraph (float[2,3,4] x) => (float[2,3,2] y) <float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}> {
        t = Transpose(w) y = MatMul(x, t) }"""
    ops = agree(text, {"x": normal(2, 3, 4)})
    assert [op for op in ops if op != "Const"] == ["Placeholder", "Reshape", "MatMul", "Reshape"]


def test_one_by_one_convolutions_written_as_products(agree: Agree):
    text = """agraph (float[2,5,6,4] x) => (float[2,5,6,2] y) <float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}> {
        c = Transpose<perm = [0, 2, 1, 3]>(x) p = MatMul(c, w) y = Transpose<perm = [0, 2, 1, 3]>(p) }"""
    assert "Transpose" not in agree(text, {"x": normal(2, 5, 6, 4)})


def test_a_flattened_image_meets_its_weights_as_it_lies(agree: Agree):
    numbers = ", ".join(str(index % 7) for index in range(24 * 2))
    text = f"""agraph (float[2,2,3,4] x) => (float[2,2] y, float[2,2] z) <float[24,2] w = {{{numbers}}}> {{
        c = Transpose<perm = [0, 3, 1, 2]>(x) f = Flatten(c) y = MatMul(f, w)
        v = Transpose(w) z = Gemm<transB = 1>(f, v) }}"""
    agree(text, {"x": normal(2, 2, 3, 4)})
    text = text.replace(", float[2,2] z", "").replace("v = Transpose(w) z = Gemm<transB = 1>(f, v)", "")
    assert "Transpose" not in agree(text, {"x": normal(2, 2, 3, 4)})


def test_determinant(agree: Agree):
    for shape in ((3, 3), (2, 4, 4)):
        node = case("Det", {"x": normal(*shape)})
        agree(node.model, node.feeds)

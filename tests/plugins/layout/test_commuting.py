"""Each operator that commutes, between two Transposes that then go, gives the same numbers in the other order."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import feeds, graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.layout.commuting import form
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

OPERANDS = {
    "c": numbers(5),
    "wc": numbers(6, 5),
    "h11": numbers(4, 1, 1),
    "low": np.float32(-0.5),
    "scale": np.float32(0.1),
    "zero": np.float32(0),
    "scales": np.abs(numbers(5)) + 0.1,
    "two": np.array([2]),
    "places": np.array([-1, 0, 2]),
    "pads": np.array([0, 1, 2, 0, 0, 0, 3, 1]),
    "repeats": np.array([1, 2, 1, 3]),
    "shape": np.array([4, 1, 1]),
    "starts": np.array([0, 1]),
    "ends": np.array([1, 3]),
    "axes": np.array([-1, 1]),
    "axis": np.array(2),
    "grow": np.array([1, 1.5, 2, 1], np.float32),
    "sizes": np.array([2, 4, 9, 5]),
}

SAME = [  # a is N H W C = 2, 4, 6, 5 and comes from channels first
    *("Sigmoid(a)", "Clip(a, low)", "Mul(a, c)", "Add(wc, a)", "Sub(a, h11)", "Max(a, c, low)", "PRelu(a, c)"),
    *("Cast<to = 1>(a)", "Concat<axis = 3>(a, a)", "Concat<axis = -2>(a, a)", "Gather<axis = 3>(a, places)"),
    *("Softmax<axis = 1>(a)", "LogSoftmax<axis = 2>(a)", "LpNormalization(a)", "CumSum(a, axis)"),
    *("ReduceMean<axes = [1, 2]>(a)", "ReduceMax<axes = [-1]>(a)", "ReduceSum(a, axes)", "ReduceMin(a)"),
    *("ArgMax<axis = 3>(a)", "Pad(a, pads)", 'Pad<mode = "edge">(a, pads, low)', "Tile(a, repeats)"),
    *("Expand(a, shape)", "Slice(a, starts, ends)", "Slice(a, starts, ends, axes)"),
    *('Resize<mode = "nearest">(a, , grow)', 'Resize<mode = "linear">(a, , grow)', "Resize(a, , , sizes)"),
]


@pytest.mark.parametrize("operator", SAME)
def test_written_in_the_other_order(operator: str) -> None:
    body = f"a = Transpose<perm = [0, 2, 3, 1]>(x) b = {operator} y = Transpose<perm = [0, 3, 1, 2]>(b)"
    made = graph(body, x="float[2,5,4,6] x", **OPERANDS)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    assert_equivalent(made, after, feeds(made), rtol=1e-6, atol=1e-6)


FEWER = {
    "ReduceMean<axes = [1, 2], keepdims = 0>(a)": "y = Relu(b)",
    "ArgMin<axis = 3, keepdims = 0>(a)": "y = Cast<to = 1>(b)",
    "ReduceProd<axes = [2], keepdims = 0>(a)": "y = Transpose<perm = [0, 2, 1]>(b)",
}


@pytest.mark.parametrize("operator", FEWER)
def test_axes_that_are_reduced_away(operator: str) -> None:
    made = graph(f"a = Transpose<perm = [0, 2, 3, 1]>(x) b = {operator} {FEWER[operator]}", x="float[2,5,4,6] x")
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    assert_equivalent(made, after, feeds(made), rtol=1e-6, atol=1e-6)


def test_several_outputs_of_which_each_has_a_reader() -> None:
    body = """a = Transpose<perm = [0, 2, 3, 1]>(x) b, d = Split<axis = 3>(a, parts) e, f = TopK(b, two)
        y = Transpose<perm = [0, 3, 1, 2]>(d) z = Transpose<perm = [0, 3, 1, 2]>(e)"""
    made = graph(body, x="float[2,5,4,6] x", y="y, z", parts=np.array([2, 3]), **OPERANDS)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    assert_equivalent(made, after, feeds(made), rtol=0, atol=0)


@pytest.mark.parametrize("scale", ["scale", "scales"])
def test_quantisation_per_tensor_and_per_channel(scale: str) -> None:
    body = f"""a = Transpose<perm = [0, 2, 3, 1]>(x) q = QuantizeLinear<axis = 3>(a, {scale})
        b = DequantizeLinear<axis = -1>(q, {scale}) y = Transpose<perm = [0, 3, 1, 2]>(b)"""
    made = graph(body, x="float[2,5,4,6] x", **OPERANDS)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    assert_equivalent(made, after, feeds(made), rtol=0, atol=0)


COMPUTED = {  # sizes that are known at run time only
    "Pad(a, p)": "float[8] given",
    "Tile(a, p)": "float[4] given",
    "Expand(a, p)": "float[4] given",
    "Resize(a, , , p)": "float[4] given",
    "Slice(a, p, q)": "float[2] given",
}


@pytest.mark.parametrize("operator", COMPUTED)
def test_sizes_that_are_computed_change_their_order_too(operator: str) -> None:
    body = f"""p = Cast<to = 7>(given) q = Add(p, two) a = Transpose<perm = [0, 2, 3, 1]>(x) b = {operator}
        y = Transpose<perm = [0, 3, 1, 2]>(b)"""
    made = graph(body, x=f"float[2,5,4,6] x, {COMPUTED[operator]}", y="float[A,B,C,D] y", **OPERANDS)
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert ops(after)["Transpose"] == 0
    sizes = {"Pad(a, p)": [0, 1, 2, 0, 1, 0, 0, 3], "Tile(a, p)": [1, 2, 1, 3], "Slice(a, p, q)": [0, 1]}
    inputs = {"x": numbers(2, 5, 4, 6), "given": np.array(sizes.get(operator, [2, 4, 6, 5]), np.float32)}
    assert_equivalent(made, after, inputs, rtol=0, atol=0)


@pytest.mark.parametrize("part", ["", "<start = 1>", "<start = -2, end = -1>"])
def test_the_shape_is_what_it_was(part: str) -> None:
    body = f"""a = Transpose<perm = [0, 2, 3, 1]>(x) b = Relu(a) s = Shape{part}(b) z = Cast<to = 1>(s)
        y = Transpose<perm = [0, 3, 1, 2]>(b)"""
    made = graph(body, x="float[N,5,H,6] x", y="y, z")
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert [node.op_type for node in after.graph] == ["Relu", "Shape", "Gather", "Cast"]
    assert_equivalent(made, after, {"x": numbers(2, 5, 4, 6)}, rtol=0, atol=0)


FIXED = {
    "Softmax(a)": "its kernel transposes unless the axis is the last",
    "LayerNormalization(a, c)": "normalises what is last",
    "MatMul(a, m)": "multiplies what is last",
    'Resize<mode = "linear">(a, , grow)': "interpolates behind two axes that stay",
    "Reshape(a, flat)": "is a view of nothing",
    "MaxPool<kernel_shape = [1, 1]>(a)": "has its pixels last",
    "Gather<axis = 1>(a, place)": "takes an axis away",
}


@pytest.mark.parametrize("operator", FIXED)
def test_what_has_no_other_form(operator: str) -> None:
    operands = {**OPERANDS, "m": numbers(5, 5), "flat": np.array([2, -1]), "place": np.array(1)}
    made = graph(f"computed = Cast<to = 7>(p) y = {operator}", x="float[2,4,6,5] a, float[8] p", **operands)
    order = (1, 0, 2, 3) if "Resize" in operator else (0, 3, 1, 2)
    assert form(made.graph[-1], order) is None


def test_layer_normalisation_commutes_with_what_leaves_the_end_alone() -> None:
    made = graph("y = LayerNormalization(a, c)", x="float[2,4,6,5] a", **OPERANDS)
    assert form(made.graph[0], (1, 0, 2, 3)) is not None


def test_other_domains_and_unknown_ranks_have_no_other_form() -> None:
    made = graph("y = Relu(x)")
    made.graph[0].domain = "com.example"
    assert form(made.graph[0], (0, 2, 3, 1)) is None
    made.graph[0].domain, made.graph.inputs[0].shape = "", None
    assert form(made.graph[0], (0, 2, 3, 1)) is None

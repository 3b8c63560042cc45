"""What is computed when the graph is written, and what is left to run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from one_node import normal
from onnxpress.testing import model
from onnxpress_backends.tensorflow.preparing import lowered

Agree = Callable[..., list[str]]


def ops(text: str) -> list[str]:
    return [node.op for node in lowered(model(text)).nodes if node.op not in ("Const", "Placeholder")]


def test_the_arithmetic_of_shapes_is_done_when_the_graph_is_written(agree: Agree):
    text = """agraph (float[2,6,4] x) => (float[a,b,c,d] y) {
        s = Shape(x) i = Constant<value_int = 1>() n = Gather(s, i) three = Constant<value_int = 3>()
        g = Div(n, three) r = Mod(n, three) e = Equal(r, g) k = Where(e, n, g)
        axes = Constant<value_ints = [0]>() k1 = Unsqueeze(k, axes) t1 = Unsqueeze(three, axes)
        b = Shape<end = 1>(x) l = Shape<start = -1>(x) t = Concat<axis = 0>(b, t1, k1, l) y = Reshape(x, t) }"""
    text = '<ir_version: 10, opset_import: ["" : 18]>' + text
    assert ops(text) == ["Reshape"]
    agree(text, {"x": normal(2, 6, 4)})


def test_a_scale_made_of_sizes_is_a_constant(agree: Agree):
    text = """agraph (float[2,16] x) => (float[2,16] y) {
        s = Shape(x) i = Constant<value_int = 1>() n = Gather(s, i) f = Cast<to = 1>(n) q = Sqrt(f) y = Div(x, q) }"""
    assert ops(text) == ["RealDiv"]
    agree(text, {"x": normal(2, 16)})


@pytest.mark.parametrize("operator", ["Split", "ScatterND", "CumSum"])
def test_operators_with_several_outputs_or_inputs(agree: Agree, operator: str):
    body = {
        "Split": "a, b = Split<axis = 0>(s, p) y = Concat<axis = 0>(b, a)",
        "ScatterND": "y = ScatterND(s, i, p)",
        "CumSum": "y = CumSum(s, z)",
    }[operator]
    text = f"""agraph (float[2,3,4,5] x) => (int64[4] y) {{
        s = Shape(x) p = Constant<value_ints = [1, 3]>() z = Constant<value_int = 0>()
        i = Constant<value = int64[2,1] {{3, 0}}>() {body} }}"""
    assert ops(text) == ["Identity"]
    agree(text, {"x": normal(2, 3, 4, 5)})


def test_weights_keep_their_names():
    text = """agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> {
        p = Mul(w, v) y = Add(x, p) }"""
    graph = lowered(model(text))
    assert {node.weight.constant.name for node in graph.nodes if node.weight is not None} == {"w", "v"}


def test_large_results_are_left_to_run():
    text = "agraph (float[70,80] x) => (float[70,80] y) { s = Shape(x) z = ConstantOfShape(s) y = Add(x, z) }"
    assert ops(text) == ["Fill", "AddV2"]
    text = """agraph (float[70,80] x) => (int64[n] y) {
        n = Size(x) z = Constant<value_int = 0>() o = Constant<value_int = 1>() y = Range(z, n, o) }"""
    assert ops(text) == ["Range"]


def test_a_size_that_is_not_known_is_left_to_run(agree: Agree):
    text = """agraph (float[n,m] x) => (float[a,b] y) {
        s = Shape(x) i = Constant<value_ints = [1, 0]>() t = Gather(s, i) y = Reshape(x, t) }"""
    assert "GatherV2" in agree(text, {"x": normal(2, 3)})


def test_constants_inside_a_branch_are_folded_with_those_around(agree: Agree):
    text = """agraph (float[2,3] x, bool c) => (float[a] y) {
        s = Shape(x)
        y = If(c) <then_branch = g () => (float[u] p) { n = ReduceProd<keepdims = 1>(s) p = Reshape(x, n) },
                   else_branch = h () => (float[v] q) { m = Constant<value_ints = [6]>() e = Neg(x) q = Reshape(e, m) }>
    }"""
    for flag in (True, False):
        agree(text, {"x": normal(2, 3), "c": np.array(flag)})

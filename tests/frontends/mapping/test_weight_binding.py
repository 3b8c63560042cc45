from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_frontends.mapping.weight_binding import bind

ARRAY = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def bound(text: str) -> tuple[ir.Model, dict[str, np.ndarray]]:
    """`text` is a graph that takes ``x`` and the handle ``w``; returns it bound, and what it gives."""
    graph = model(text)
    feeds = {"x": np.ones((1,), np.float32), "w": ARRAY}
    expected = Session(graph).run(feeds)
    weights = {"w": ARRAY}
    bind(graph, weights)
    assert weights == {}
    assert [value.name for value in graph.graph.inputs] == ["x"]
    actual = Session(graph).run({"x": feeds["x"]})
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array)
    return graph, {value.name or "": value.const_value.numpy() for value in graph.graph.initializers.values()}


def test_a_chain_that_lays_a_weight_out_anew_becomes_the_weight() -> None:
    graph, weights = bound("""
        agraph (float[1] x, float[2,3,4] w) => (float[4,6] y) <int64[2] shape = {0, -1}> {
            t = Transpose <perm = [2, 0, 1]> (w)
            i = Identity (t)
            r = Reshape (i, shape)
            y = Mul (r, x)
        }""")
    assert [node.op_type for node in graph.graph] == ["Mul"]
    np.testing.assert_array_equal(weights["r"], ARRAY.transpose(2, 0, 1).reshape(4, 6))
    assert "w" not in weights


def test_every_layout_that_is_used_is_kept() -> None:
    graph, weights = bound("""
        agraph (float[1] x, float[2,3,4] w) => (float[2,3,4] y, float[1,2,3,4] z) <int64[1] axes = {0}> {
            y = Mul (w, x)
            u = Unsqueeze (w, axes)
            z = Mul (u, x)
        }""")
    assert [node.op_type for node in graph.graph] == ["Mul", "Mul"]
    assert weights["w"].shape == (2, 3, 4) and weights["u"].shape == (1, 2, 3, 4)


def test_a_weight_that_is_computed_with_stays_as_it_is() -> None:
    graph, weights = bound("""
        agraph (float[1] x, float[2,3,4] w) => (float[4,3,2] y) {
            n = Neg (w)
            t = Transpose (n)
            y = Mul (t, x)
        }""")
    assert [node.op_type for node in graph.graph] == ["Neg", "Transpose", "Mul"]
    assert weights["w"].shape == (2, 3, 4)


def test_a_layout_that_is_an_output_is_left_to_the_graph() -> None:
    graph, _ = bound("agraph (float[1] x, float[2,3,4] w) => (float[4,3,2] y) { y = Transpose (w) }")
    assert [node.op_type for node in graph.graph] == ["Transpose"]


def test_a_shape_that_is_computed_is_not_folded() -> None:
    graph, _ = bound("""
        agraph (float[1] x, float[2,3,4] w) => (float[M,K] y) <int64[1] rest = {-1}> {
            n = Shape (x)
            s = Concat <axis = 0> (n, rest)
            r = Reshape (w, s)
            y = Mul (r, x)
        }""")
    assert "Reshape" in [node.op_type for node in graph.graph]


def test_a_handle_that_was_moved_into_a_branch_is_bound_there() -> None:
    graph = model("""
        agraph (bool c, float[1] x, float[2,3,4] w) => (float[A,B,C] y) {
            y = If (c) <then_branch = then () => (t) { t = Mul (w, x) },
                        else_branch = other () => (e) { e = Add (w, x) }>
        }""")
    outer = graph.graph.inputs[2]
    for branch in (attribute.as_graph() for attribute in graph.graph[0].attributes.values()):
        inner = ir.Value(name="w:0", type=outer.type, shape=outer.shape)
        branch[0].replace_input_with(0, inner)
        branch.inputs.append(inner)
    graph.graph.inputs.remove(outer)
    weights = {"w": ARRAY}
    bind(graph, weights)
    assert weights == {}
    for condition, expected in ((True, ARRAY * 2), (False, ARRAY + 2)):
        feeds = {"c": np.array(condition), "x": np.full(1, 2, np.float32)}
        np.testing.assert_array_equal(Session(graph).run(feeds)["y"], expected)

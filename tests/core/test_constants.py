"""What counts as a constant, and who gets a copy."""

from __future__ import annotations

import numpy as np

from onnxpress.constants import constant, drop_if_unused, give
from onnxpress.naming import Names
from onnxpress.testing import model

TEXT = """g (float[2] x) => (y) <float[2] shared = {1, 2}, float[2] own = {3, 4}> {
    node = Constant<value_floats=[5.0, 6.0]>()
    a = Add(x, shared) b = Mul(a, shared) c = Mul(b, own) y = Sub(c, node) }"""


def test_initialisers_and_constant_nodes_are_constants() -> None:
    graph = model(TEXT).graph
    _, a, _, c, y = graph
    assert [constant(value) is not None for value in (*a.inputs, c.inputs[1], y.inputs[1])] == [False, True, True, True]
    graph.inputs.append(graph.initializers["own"])
    assert constant(c.inputs[1]) is None, "the caller may override it"
    assert constant(None) is None


def test_a_shared_constant_is_copied_and_an_own_one_kept() -> None:
    parsed = model(TEXT)
    _, a, b, c, y = parsed.graph
    names = Names(parsed)
    for node in (a, c, y):
        give(node, 1, np.zeros(2, np.float32), names, wish="own")
    names_of = [node.inputs[1].name for node in (a, b, c, y)]  # type: ignore[union-attr]
    assert names_of == ["own_1", "shared", "own", "own_2"]
    assert [node.op_type for node in parsed.graph] == ["Add", "Mul", "Mul", "Sub"], "nobody uses the Constant any more"
    np.testing.assert_array_equal(parsed.graph.initializers["shared"].const_value.numpy(), [1, 2])  # type: ignore[union-attr]


def test_what_is_used_is_not_dropped() -> None:
    graph = model(TEXT).graph
    drop_if_unused(graph.initializers["own"])
    graph.node(3).replace_input_with(1, graph.initializers["shared"])
    drop_if_unused(graph.initializers["own"])
    assert list(graph.initializers) == ["shared"]


def test_an_output_of_the_graph_is_neither_changed_nor_dropped() -> None:
    parsed = model("g (float[2] x) => (y, k) <float[2] k = {1, 2}> { y = Add(x, k) }")
    (add,) = parsed.graph
    give(add, 1, np.zeros(2, np.float32), Names(parsed), wish="zero")
    assert list(parsed.graph.initializers) == ["k", "zero"]
    np.testing.assert_array_equal(parsed.graph.initializers["k"].const_value.numpy(), [1, 2])  # type: ignore[union-attr]

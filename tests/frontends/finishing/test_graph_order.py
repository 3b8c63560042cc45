from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.testing import assert_equivalent
from onnxpress.testing import model as parse
from onnxpress.verify import verify
from onnxpress_frontends.finishing.graph_order import put_in_order, weights_in_order

TEXT = """agraph (float[2] x, float[2] v, float[2] w) => (float[2] y, float[2] z) {
    a = Relu(x)
    b = Add(a, w)
    c = Mul(a, v)
    y = Sub(c, b)
    z = Neg(b)
}"""


def names(graph: ir.Graph) -> list[str]:
    return [node.outputs[0].name or "" for node in graph]


def test_order_depends_on_the_structure_alone() -> None:
    orders = []
    for swaps in ((), ("b", "c"), ("c", "z")):
        model = parse(TEXT)
        nodes = {node.outputs[0].name: node for node in model.graph}
        model.graph.extend([nodes[name] for name in (*swaps, "z", "y") if name in nodes])
        put_in_order(model.graph)
        verify(model)
        orders.append(names(model.graph))
    assert orders == [["a", "c", "b", "y", "z"]] * 3


def test_numbers_do_not_change() -> None:
    before, after = parse(TEXT), parse(TEXT)
    put_in_order(after.graph)
    feeds = {name: np.arange(2, dtype=np.float32) + index for index, name in enumerate("xvw")}
    assert_equivalent(before, after, feeds, rtol=0, atol=0)


def test_a_node_comes_after_what_its_subgraph_captures() -> None:
    model = parse(
        "agraph (bool c, float[2] x) => (float[2] y) { r = Relu(x) n = Neg(x)"
        " y = If (c) <then_branch = t () => (float[2] p) { p = Abs(n) },"
        "             else_branch = e () => (float[2] q) { q = Abs(r) }> }"
    )
    put_in_order(model.graph)
    assert names(model.graph) == ["n", "r", "y"]


def test_nodes_without_use_come_last() -> None:
    model = parse("agraph (float[2] x) => (float[2] y) { lost = Neg(x) y = Relu(x) }")
    put_in_order(model.graph)
    assert names(model.graph) == ["y", "lost"]


def test_weights_are_called_after_their_role() -> None:
    model = parse(
        "agraph (float[1,1,4,4] x, float[2,1,3,3] k, float[2] b) => (float[1,2,2,2] y) { y = Conv(x, k, b) }",
        b=np.zeros(2, np.float32),
        k=np.ones((2, 1, 3, 3), np.float32),
    )
    model.graph[0].name = "conv"
    assert [(value.name, name) for value, name in weights_in_order(model.graph)] == [("k", "conv/W"), ("b", "conv/B")]


def test_the_role_in_a_variadic_operator_is_numbered() -> None:
    model = parse(
        "agraph (float[2] x, float[2] a, float[2] b) => (float[6] y) { y = Concat <axis = 0> (a, x, b) }",
        a=np.zeros(2, np.float32),
        b=np.ones(2, np.float32),
    )
    model.graph[0].name = "join"
    assert [name for _, name in weights_in_order(model.graph)] == ["join/inputs", "join/inputs_2"]

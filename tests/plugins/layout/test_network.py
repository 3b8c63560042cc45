"""Who reads which tensor, through which views, and how it is demanded."""

from __future__ import annotations

import numpy as np

from calibrated import graph, numbers
from onnxpress_plugins.layout.network import Network

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"


def test_views_are_looked_through() -> None:
    made = graph(f"a = {TO_LAST}(x) b = Reshape(a, s) c = Relu(b) y = Add(c, k)", s=np.array([-1, 64, 4]), k=numbers(4))
    network = Network(made.graph)
    assert list(network.views) == [made.graph[0].outputs[0]]
    (use,) = network.uses[made.graph.inputs[0]]
    assert (use.node, use.index, use.seen.arrangement, use.seen.nodes) == (made.graph[1], 0, (0, 2, 3, 1), 1)


def test_constants_are_read_but_not_waited_for() -> None:
    made = graph(f"a = {TO_LAST}(x) y = Add(a, k)", k=numbers(4))
    network = Network(made.graph)
    add = made.graph[1]
    assert [use.index for use in network.inputs(add)] == [0]
    assert [use.node for use in network.mismatches()] == [add]
    network.orders[add] = (0, 3, 1, 2)
    constant = next(use for use in network.uses[made.graph.initializers["k"]])
    assert network.demanded(constant, network.orders) == (0, None, None)
    assert [use.node for use in network.mismatches()] == [None]  # the output of the graph, which now has channels first


def test_what_a_subgraph_takes_from_outside_keeps_its_order() -> None:
    made = graph(
        f"""a = {TO_LAST}(x) y = If (flag) <then_branch = yes () => (float[N,8,8,4] r) {{ r = Relu(a) }},
            else_branch = no () => (float[N,8,8,4] s) {{ s = Sigmoid(a) }}>""",
        x="float[N,4,8,8] x, bool flag",
        y="float[N,8,8,4] y",
    )
    network = Network(made.graph)
    captors = [use.node for use in network.uses[made.graph.inputs[0]]]
    assert [captor.op_type for captor in captors if captor is not None] == ["Relu", "Sigmoid"]
    assert all(captor is not None and network.form(captor, (0, 3, 1, 2)) is None for captor in captors)

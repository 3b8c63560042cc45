from __future__ import annotations

from typing import Any

from onnxpress_frontends.reachability import closure, in_order, keep_reachable


def graph(tf: Any, *nodes: tuple[str, str, list[str]]) -> Any:
    made = tf.compat.v1.GraphDef()
    for name, op, inputs in nodes:
        made.node.add(name=name, op=op, input=inputs)
    return made


def names(nodes: Any) -> list[str]:
    return [node.name for node in nodes]


def test_assertions_that_only_order_execution_are_dropped(tf: Any) -> None:
    made = graph(tf, ("x", "Placeholder", []), ("check", "Assert", ["x"]), ("y", "Neg", ["x", "^check"]))
    keep_reachable(made.node, ["y:0"])
    assert names(made.node) == ["x", "y"]
    assert list(made.node[1].input) == ["x"]


def test_the_pivot_that_a_branch_of_tensorflow_1_hangs_on_stays(tf: Any) -> None:
    made = graph(
        tf,
        ("p", "Placeholder", []),
        ("switch", "Switch", ["p", "p"]),
        ("pivot", "Identity", ["switch:1"]),
        ("print", "Print", ["p"]),
        ("one", "Const", ["^pivot", "^print"]),
        ("merge", "Merge", ["one", "switch"]),
    )
    keep_reachable(made.node, ["merge"])
    assert names(made.node) == ["p", "switch", "pivot", "one", "merge"]
    assert list(made.node[3].input) == ["^pivot"]


def test_closure_follows_control_edges_on_request(tf: Any) -> None:
    nodes = {node.name: node for node in graph(tf, ("a", "NoOp", []), ("b", "Const", ["^a"])).node}
    assert closure(nodes, ["b:0"], control=False) == {"b"}
    assert closure(nodes, ["b:0"], control=True) == {"a", "b"}


def test_order_puts_nodes_after_what_they_use_and_survives_a_loop(tf: Any) -> None:
    made = graph(
        tf, ("d", "Neg", ["c"]), ("c", "Merge", ["a", "next"]), ("next", "NextIteration", ["c"]), ("a", "Const", [])
    )
    ordered = names(in_order(made.node))
    assert sorted(ordered) == ["a", "c", "d", "next"]
    assert ordered.index("a") < ordered.index("c") < ordered.index("d")

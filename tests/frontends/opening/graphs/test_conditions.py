from __future__ import annotations

from typing import Any

import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder
from onnxpress_frontends.opening.graphs.conditions import resolve
from onnxpress_frontends.reachability import closure


def condition(tf: Any, version: int, make_predicate: Any = lambda flag: flag) -> Any:
    """``y`` is ``relu(x)`` if the predicate of ``flag`` holds, else ``tanh(x)``; ``late`` reads ``y`` too."""
    with tf.Graph().as_default() as graph, control_flow(tf, version):
        x = placeholder(tf, "x", None, 3)
        flag = tf.compat.v1.placeholder(tf.bool, (), name="flag")
        y = tf.cond(make_predicate(flag), lambda: tf.nn.relu(x, name="yes"), lambda: tf.tanh(x, name="no"))
        tf.identity(y, name="y")
    return graph.as_graph_def()


def operators(graph: Any, output: str = "y") -> set[str]:
    nodes = {node.name: node for node in graph.node}
    return {nodes[name].op for name in closure(nodes, [output], control=True)}


@pytest.mark.parametrize(("value", "taken", "other"), [(True, "Relu", "Tanh"), (False, "Tanh", "Relu")])
def test_the_branch_not_taken_leaves_with_switch_and_merge(tf: Any, value: bool, taken: str, other: str) -> None:
    graph = condition(tf, 1)
    resolve(graph, {"flag": value})
    assert taken in operators(graph)
    assert {node.op for node in graph.node}.isdisjoint({"Switch", "Merge", other})


def test_an_if_becomes_the_call_of_a_branch(tf: Any) -> None:
    graph = condition(tf, 2)
    resolve(graph, {"flag": True})
    (call,) = (node for node in graph.node if node.op == "PartitionedCall")
    assert call.attr["f"].func.name.startswith("cond_true")
    assert (list(call.input), "then_branch" in call.attr) == (["x"], False)


def test_nothing_is_known(tf: Any) -> None:
    for version in (1, 2):
        graph = condition(tf, version)
        before = graph.SerializeToString(deterministic=True)
        resolve(graph, {})
        assert graph.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("predicate", "taken"),
    [
        (lambda tf, flag: tf.logical_not(flag), "Tanh"),
        (lambda tf, flag: tf.logical_and(flag, tf.constant(True)), "Relu"),
        (lambda tf, flag: tf.logical_or(tf.logical_not(flag), tf.constant(False)), "Tanh"),
        (lambda tf, flag: tf.identity(tf.logical_not(tf.logical_not(flag))), "Relu"),
    ],
)
def test_predicates_are_computed(tf: Any, predicate: Any, taken: str) -> None:
    graph = condition(tf, 1, lambda flag: predicate(tf, flag))
    resolve(graph, {"flag": True})
    assert operators(graph) & {"Relu", "Tanh"} == {taken}


def test_a_variable_counts_as_initialised(tf: Any) -> None:
    with tf.Graph().as_default() as built, control_flow(tf, 1):
        weight = tf.compat.v1.get_variable("weight", 3, use_resource=True)
        ready = tf.compat.v1.is_variable_initialized(weight)
        tf.identity(tf.cond(ready, weight.read_value, lambda: tf.zeros(3)), name="y")
    graph = built.as_graph_def()
    resolve(graph, {})
    assert operators(graph) == {"VarHandleOp", "ReadVariableOp", "Identity"}


def test_conditions_in_conditions(tf: Any) -> None:
    with tf.Graph().as_default() as built, control_flow(tf, 1):
        x = placeholder(tf, "x", None, 3)
        outer, inner = (tf.compat.v1.placeholder(tf.bool, (), name=name) for name in ("outer", "inner"))
        deep = tf.cond(outer, lambda: tf.cond(inner, lambda: tf.exp(x), lambda: tf.tanh(x)), lambda: tf.nn.relu(x))
        tf.identity(deep, name="y")
    graph = built.as_graph_def()
    resolve(graph, {"outer": True})
    assert {"Exp", "Tanh", "Merge"} <= operators(graph) and "Relu" not in operators(graph)
    resolve(graph, {"inner": False})
    assert operators(graph) == {"Identity", "Tanh", "Placeholder"}


def test_a_loop_in_a_branch(tf: Any) -> None:
    """The Merge of a loop runs until its entry is dead, whatever its back edge does."""
    with tf.Graph().as_default() as built, control_flow(tf, 1):
        x = placeholder(tf, "x", None, 3)
        flag = tf.compat.v1.placeholder(tf.bool, (), name="flag")

        def loop() -> Any:
            return tf.while_loop(lambda i, _: i < 3, lambda i, state: (i + 1, tf.tanh(state)), (0, x))[1]

        tf.identity(tf.cond(flag, loop, lambda: tf.nn.relu(x)), name="y")
    graph = built.as_graph_def()
    graph_with_loop = type(graph)()
    graph_with_loop.CopyFrom(graph)
    resolve(graph, {"flag": False})
    assert {node.op for node in graph.node}.isdisjoint({"Merge", "NextIteration", "Exit", "Tanh"})
    resolve(graph_with_loop, {"flag": True})
    assert {"Merge", "NextIteration", "Exit", "Tanh"} <= operators(graph_with_loop)
    assert "Relu" not in operators(graph_with_loop)


def test_which_branch_a_merge_took(tf: Any) -> None:
    graph = condition(tf, 1)
    graph.node.add(name="which", op="Identity", input=["cond/Merge:1"]).attr["T"].type = 3
    resolve(graph, {"flag": True})
    (chosen,) = (node for node in graph.node if node.name == "cond/Merge/chosen")
    (which,) = (node for node in graph.node if node.name == "which")
    assert (list(which.input), list(chosen.attr["value"].tensor.int_val)) == (["cond/Merge/chosen"], [1])


def test_a_chain_longer_than_python_s_stack(tf: Any) -> None:
    graph = condition(tf, 1)
    for index in range(3000):
        graph.node.add(name=f"chain{index}", op="LogicalNot", input=[f"chain{index - 1}" if index else "flag"])
    for node in graph.node:
        if node.op == "Switch":
            node.input[1] = "chain2999"
    resolve(graph, {"flag": True})
    assert operators(graph) & {"Relu", "Tanh"} == {"Relu"}

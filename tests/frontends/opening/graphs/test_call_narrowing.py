from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder, values
from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.graphs.call_narrowing import narrow_calls
from onnxpress_frontends.reachability import keep_reachable


def run(tf: Any, graph: Any, output: str, **feeds: Any) -> Any:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(output, {f"{name}:0": value for name, value in feeds.items()})


def narrowed(tf: Any, graph: Any, output: str) -> tuple[Any, str]:
    keep_reachable(graph.node, [output])
    renamed = narrow_calls(graph, [output])
    return graph, renamed.get(output, output)


def test_results_and_arguments_that_nothing_uses(tf: Any) -> None:
    with tf.Graph().as_default() as built:

        @tf.function(autograph=False)
        def inner(a: Any, b: Any) -> Any:
            return tf.tanh(a), tf.exp(b)

        @tf.function(autograph=False)
        def outer(a: Any, b: Any, c: Any) -> Any:
            tanh, exp = inner(a, b)
            return exp + 1, tanh * 2, tf.sin(c)

        x, y, z = (placeholder(tf, name, 3) for name in "xyz")
        tf.identity(outer(x, y, z)[1], name="result")
    graph, result = narrowed(tf, built.as_graph_def(), "result:0")
    (call,) = (node for node in graph.node if node.op.endswith("PartitionedCall"))
    assert (list(call.input), len(call.attr["Tin"].list.type), len(call.attr["Tout"].list.type)) == (["x"], 1, 1)
    assert {node.name for node in graph.node}.isdisjoint({"y", "z"})
    np.testing.assert_allclose(run(tf, graph, result, x=values(3)), 2 * np.tanh(values(3)), rtol=1e-6)


@pytest.mark.parametrize("value", [True, False])
def test_both_branches_of_a_condition_keep_the_same_ends(tf: Any, value: bool) -> None:
    with tf.Graph().as_default() as built, control_flow(tf, 2):
        x, y = placeholder(tf, "x", 3), placeholder(tf, "y", 3)
        flag = tf.compat.v1.placeholder(tf.bool, (), name="flag")
        tf.identity(tf.cond(flag, lambda: (y, tf.exp(x)), lambda: (tf.sin(y), tf.tanh(x)))[1], name="result")
    graph, result = narrowed(tf, built.as_graph_def(), "result:0")
    (call,) = (node for node in graph.node if node.op in ("If", "StatelessIf"))
    assert list(call.input) == ["flag", "x"]
    expected = np.exp(values(3)) if value else np.tanh(values(3))
    np.testing.assert_allclose(run(tf, graph, result, x=values(3), flag=value), expected, rtol=1e-6)


def test_variables_of_a_loop_that_the_result_does_not_depend_on(tf: Any) -> None:
    with tf.Graph().as_default() as built, control_flow(tf, 2):
        x, y, z = (placeholder(tf, name, 3) for name in "xyz")

        def step(i: Any, a: Any, b: Any, c: Any) -> Any:
            return i + 1, tf.tanh(a + b), b + 0.5, tf.sin(c)

        _, a, _, _ = tf.while_loop(lambda i, *_: i < 4, step, (0, x, y, z))
        tf.identity(a, name="result")
    whole = built.as_graph_def()
    expected = run(tf, whole, "result:0", x=values(3), y=values(3), z=values(3))
    graph, result = narrowed(tf, whole, "result:0")
    (loop,) = (node for node in graph.node if node.op in ("While", "StatelessWhile"))
    assert [name for name in loop.input if name in "xyz"] == ["x", "y"]
    np.testing.assert_array_equal(run(tf, graph, result, x=values(3), y=values(3)), expected)


def test_a_call_as_the_output_itself(tf: Any) -> None:
    with tf.Graph().as_default() as built:

        @tf.function(autograph=False)
        def two(a: Any) -> Any:
            return tf.tanh(a), tf.exp(a)

        two(placeholder(tf, "x", 3))
    graph = built.as_graph_def()
    (call,) = (node.name for node in graph.node if node.op.endswith("PartitionedCall"))
    graph, result = narrowed(tf, graph, f"{call}:1")
    assert result == f"{call}:0"
    np.testing.assert_allclose(run(tf, graph, result, x=values(3)), np.exp(values(3)), rtol=1e-6)


@pytest.mark.parametrize("calls", [1, 2])
def test_functions_that_call_themselves(tf: Any, calls: int) -> None:
    with tf.Graph().as_default() as built:

        @tf.function(autograph=False)
        def turn(x: Any) -> Any:
            return tf.tanh(x)

        tf.identity(turn(placeholder(tf, "x", 3)), name="y")
    graph = built.as_graph_def()
    (function,) = graph.library.function
    (tanh,) = (node for node in function.node_def if node.op == "Tanh")
    (call,) = (node for node in graph.node if node.op == "PartitionedCall")
    argument = tanh.input[0]
    tanh.CopyFrom(call)
    tanh.input[:] = [argument]
    function.node_def.add().CopyFrom(tanh)
    function.node_def[-1].name, function.node_def[-1].input[0] = "again", f"{tanh.name}:output:0"
    function.ret[function.signature.output_arg[0].name] = "again:output:0" if calls == 2 else f"{tanh.name}:output:0"
    with pytest.raises(UnsupportedModel, match=r"function '__inference_turn_\d+' of the graph calls itself, or others"):
        narrow_calls(graph, ["y:0"])

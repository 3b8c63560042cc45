"""Functions: what they capture, how they are named, and where a graph with functions runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnxpress.testing import model
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function, share
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.graphs.graph_def import message

LOOP = """agraph (int64 m, float[2] x) => (float[2] y, float[n,2] s) <float[2] w = {%s}> {
    y, s = Loop (m, , x) <
        body = b (int64 i, bool going_on, float[2] v) => (bool still, float[2] n, float[2] o) {
            n = Add(v, w)
            o = Mul(n, x)
            still = Identity(going_on)
        }
    >
}"""


def placeholder(graph: Graph, name: str) -> Tensor:
    return Tensor(graph.add("Placeholder", name=name, dtype=DType.FLOAT, shape=(2,)))


def test_functions_of_one_node_take_the_same_arguments() -> None:
    graph = Graph()
    x, y = placeholder(graph, "x"), placeholder(graph, "y")
    one, two = Function.within(graph, "one"), Function.within(graph, "two")
    own = two.argument(DType.INT32, "Own Name", ())
    one.give([Tensor(one.add("Neg", one.capture(x)))])
    two.give([Tensor(two.add("Neg", two.capture(y)))])
    assert one.capture(x) is one.capture(x)
    assert share(one, two) == [x, y]
    assert [tensor.node.name for tensor in one.arguments] == ["x_1", "y_2"]
    assert two.arguments[0] == own
    assert [tensor.node.name for tensor in two.arguments] == ["own_name", "x_2", "y_1"]


def test_functions_of_functions_stand_in_one_library_with_names_of_their_own() -> None:
    graph = Graph()
    outer = Function.within(graph, "a/b")
    inner = Function.within(outer, "a b")
    assert graph.functions == [outer, inner]
    assert [function.name for function in graph.functions] == ["a_b", "a_b_1"]
    assert inner.root is graph


def test_nodes_that_nothing_needs_are_left_out() -> None:
    function = Function.within(Graph(), "f")
    x = function.argument(DType.FLOAT, "x")
    unused = function.argument(DType.FLOAT, "unused")
    function.add("Neg", unused)
    function.give([Tensor(function.add("Relu", x))])
    assert [node.op for node in function.nodes] == ["Placeholder", "Placeholder", "Relu"]


def emitted(text: str) -> Any:
    from onnxpress_backends.tensorflow.preparing import lowered

    return message(lowered(model(text)))


def test_a_function_is_named_by_what_it_does() -> None:
    """TensorFlow 2 has one library for all graphs of a process, and two functions of one name must be the same."""
    first, same, other = (emitted((LOOP % "1, 2").replace("Add", op)) for op in ("Add", "Add", "Sub"))
    names = [[function.signature.name for function in graph.library.function] for graph in (first, same, other)]
    assert names[0] == names[1]
    assert [name.rpartition("_")[0] for name in names[0]] == ["y_body", "y_cond"]
    assert names[0][0] != names[2][0]
    loop = next(node for node in first.node if node.op == "StatelessWhile")
    assert [loop.attr[key].func.name for key in ("body", "cond")] == names[0]


def test_node_names_are_unique_across_functions() -> None:
    graph = emitted(LOOP % "1, 2")
    inside = [node.name for function in graph.library.function for node in function.node_def]
    names = [*inside, *(node.name for node in graph.node)]
    assert len(names) == len(set(names))


def test_loops_run_in_functions_of_tensorflow_2_and_have_gradients(tf: Any, tmp_path: Path) -> None:
    graphs = [emitted(LOOP % weights) for weights in ("1, 2", "1, 3")]
    x = tf.constant([1.0, 2.0])
    for graph, weight in zip(graphs, (2.0, 3.0), strict=True):
        wrapped = tf.compat.v1.wrap_function(lambda graph=graph: tf.graph_util.import_graph_def(graph, name=""), [])
        run = wrapped.prune(["m:0", "x:0"], ["y:0", "s:0"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            last, steps = run(tf.constant(3, tf.int64), x)
        np.testing.assert_allclose(last, [4.0, 2 + 3 * weight])
        assert steps.shape == (3, 2)
        np.testing.assert_allclose(tape.gradient(last, x), [1.0, 1.0])

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import placeholder, values
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.opening.graphs.cutting import cut


def graph_of(tf: Any, build: Any) -> Any:
    with tf.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def cut_out(graph: Any, inputs: dict[str, str], outputs: dict[str, str], **held: Any) -> Any:
    held = {"weights": {}, "variables": {}} | held
    return cut(graph, inputs, outputs, title="net", source="graph.pb", **held)


def test_ends_have_the_user_s_names_and_order(tf: Any) -> None:
    def build() -> None:
        left, right = placeholder(tf, "left", 3), placeholder(tf, "right", 3)
        tf.subtract(left, right, name="minus")
        tf.add(left, right, name="plus")

    function = cut_out(graph_of(tf, build), {"b": "right", "a": "left"}, {"p": "plus:0", "m": "minus:0"})
    assert [(end.name, end.tensor.name) for end in function.inputs] == [("b", "right:0"), ("a", "left:0")]
    assert [(end.name, end.tensor.name) for end in function.outputs] == [("p", "plus:0"), ("m", "minus:0")]
    total, difference = function.function(tf.constant([3.0, 2.0, 1.0]), tf.constant([1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(total, [4, 3, 2])
    np.testing.assert_array_equal(difference, [-2, -1, 0])


def test_an_output_may_be_an_input(tf: Any) -> None:
    graph = graph_of(tf, lambda: tf.tanh(placeholder(tf, "x", 3), name="y"))
    function = cut_out(graph, {"x": "x"}, {"same": "x:0", "y": "y:0"})
    same, _ = function.function(tf.constant(values(3)))
    np.testing.assert_array_equal(same, values(3))


def test_weights_are_arguments_and_variables_are_captured(tf: Any) -> None:
    def build() -> None:
        weight, bias = placeholder(tf, "weight", 3), tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=(3,), name="bias")
        read = tf.raw_ops.ReadVariableOp(resource=bias, dtype=tf.float32)
        tf.add(placeholder(tf, "x", 3) * weight, read, name="y")

    held = {"weights": {"weight": values(3, seed=1)}, "variables": {"bias": tf.Variable(values(3, seed=2))}}
    function = cut_out(graph_of(tf, build), {"x": "x"}, {"y": "y:0"}, **held)
    assert list(function.weights) == ["weight:0"]
    (result,) = function.function(tf.constant(values(3)), tf.constant(values(3, seed=1)))
    np.testing.assert_allclose(result, values(3) * values(3, seed=1) + values(3, seed=2), rtol=1e-6)


def test_the_results_of_a_call_are_handed_on(tf: Any) -> None:
    """Grappler leaves a call alone whose results are returned themselves."""

    def build() -> None:
        @tf.function(autograph=False)
        def two(x: Any) -> Any:
            return tf.tanh(x), tf.exp(x)

        two(placeholder(tf, "x", 3))

    graph = graph_of(tf, build)
    (call,) = (node.name for node in graph.node if node.op.endswith("PartitionedCall"))
    function = cut_out(graph, {"x": "x"}, {"exp": f"{call}:1", "tanh": f"{call}:0"})
    assert [end.tensor.op.type for end in function.outputs] == ["Identity", "Identity"]
    np.testing.assert_allclose(function.function(tf.constant(values(3)))[0], np.exp(values(3)), rtol=1e-6)


def test_unknown_operators(tf: Any) -> None:
    graph = graph_of(tf, lambda: tf.tanh(placeholder(tf, "x", 3), name="y"))
    graph.node[-1].op = "MadeUp"
    with pytest.raises(
        UnsupportedModel, match=r"^graph\.pb uses operators that this TensorFlow does not know: 'MadeUp'"
    ):
        cut_out(graph, {"x": "x"}, {"y": "y:0"})


def test_a_graph_that_makes_no_sense(tf: Any) -> None:
    graph = graph_of(tf, lambda: tf.matmul(placeholder(tf, "x", 3, 4), tf.zeros((4, 2)), name="y"))
    (node,) = (node for node in graph.node if node.name == "y")
    node.attr["transpose_b"].b = True
    with pytest.raises(InvalidModel, match=r"^graph\.pb is not a sound TensorFlow graph: "):
        cut_out(graph, {"x": "x"}, {"y": "y:0"})

from __future__ import annotations

from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder
from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.graph_inputs import (
    comes_from_outside,
    ends_pipeline,
    find_inputs,
    take_defaults,
)


def test_placeholders_in_the_order_of_the_graph(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        first, _, third = (placeholder(tf, name, 3) for name in ("first", "second", "third"))
        tf.add(third, first, name="y")
    assert find_inputs(graph.as_graph_def(), ["y:0"], "graph") == ["first:0", "third:0"]


def test_a_scalar_with_a_default_takes_it(tf: Any) -> None:
    with tf.Graph().as_default() as built:
        x = tf.compat.v1.placeholder_with_default(tf.ones((2, 3)), (None, 3), name="x")
        rate = tf.compat.v1.placeholder_with_default(0.5, (), name="rate")
        tf.multiply(x, rate, name="y")
    graph = built.as_graph_def()
    assert find_inputs(graph, ["y:0"], "graph") == ["x:0"]
    take_defaults(graph, ["x:0"])
    assert [node.op for node in graph.node if node.name in ("x", "rate")] == ["PlaceholderWithDefault", "Identity"]


def test_what_lies_behind_a_pipeline_is_not_looked_at(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        text = tf.compat.v1.placeholder(tf.string, (), name="text")
        image = tf.io.decode_png(text, name="image")
        tf.multiply(tf.cast(image, tf.float32), placeholder(tf, "scale", 3), name="y")
    assert find_inputs(graph.as_graph_def(), ["y:0"], "graph") == ["scale:0", "image:0"]


def test_two_decoders_are_listed(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        left, right = (
            tf.io.decode_png(tf.compat.v1.placeholder(tf.string, ()), name=name) for name in ("left", "right")
        )
        tf.add(left, right, name="y")
    message = r"graph reads its inputs through a pipeline that has no ONNX form; .* \(candidates: 'left', 'right'\)"
    with pytest.raises(InvalidOption, match=message):
        find_inputs(graph.as_graph_def(), ["y:0"], "graph")


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("IteratorGetNext", True),
        ("QueueDequeueManyV2", True),
        ("QueueDequeueUpTo", True),
        ("ParseExampleV2", True),
        ("ParseSingleSequenceExample", True),
        ("DecodeJpeg", True),
        ("QueueEnqueueV2", False),
        ("ParseSequence", False),
        ("Conv2D", False),
    ],
)
def test_ends_of_pipelines(tf: Any, op: str, expected: bool) -> None:
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    node = NodeDef(name="n", op=op)
    assert ends_pipeline(node) is comes_from_outside(node) is expected

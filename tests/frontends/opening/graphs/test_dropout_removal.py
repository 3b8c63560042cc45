from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder, values
from onnxpress_frontends.opening.graphs.dropout_removal import remove_dropout
from onnxpress_frontends.tensorflow_source import load


def oldest(tf: Any, x: Any, keep: Any) -> Any:
    random = tf.raw_ops.RandomUniform(shape=tf.shape(x), dtype=tf.float32)
    random = random * (tf.constant(1.0) - tf.constant(0.0)) + tf.constant(0.0)
    return tf.realdiv(x, keep) * tf.floor(keep + random)


def older(tf: Any, x: Any, keep: Any) -> Any:
    random = tf.raw_ops.RandomUniform(shape=tf.shape(x), dtype=tf.float32)
    return (x * (1.0 / keep)) * tf.cast(random >= 1.0 - keep, tf.float32)


def todays(tf: Any, x: Any, keep: Any) -> Any:
    return tf.nn.dropout(x, rate=1.0 - keep)


@pytest.mark.parametrize("dropout", [oldest, older, todays])
@pytest.mark.parametrize("fed", [False, True], ids=["constant rate", "placeholder"])
def test_dropout_becomes_the_identity(
    same: Any, make: Any, tf: Any, dropout: Callable[[Any, Any, Any], Any], fed: bool
) -> None:
    """A session gives x on average; here the probability to keep is fed as 1."""
    from graphs_of_tensorflow_1 import Original

    def build() -> None:
        x = placeholder(tf, "x", None, 4)
        keep = placeholder(tf, "keep") if fed else tf.constant(0.5)
        tf.multiply(dropout(tf, x, keep), tf.compat.v1.get_variable("scale", ()), name="unused")
        tf.tanh(dropout(tf, x, keep), name="y")

    source = make(build, {"x": values(3, 4)} | ({"keep": 1.0} if fed else {}), ["y"]).source
    model = same(Original(source, {"x": values(3, 4)}, {"y": tf.tanh(values(3, 4)).numpy()}), outputs=["y"])
    assert [value.name for value in model.graph.inputs] == ["x"]


def test_other_random_numbers_stay(tf: Any) -> None:
    with tf.Graph().as_default() as built:
        x = placeholder(tf, "x", None, 4)
        tf.add(x, tf.random.uniform(tf.shape(x)), name="y")
        tf.multiply(x * x, tf.cast(tf.random.uniform(tf.shape(x)) >= 0.5, tf.float32), name="masked")
    graph = built.as_graph_def()
    before = graph.SerializeToString()
    assert remove_dropout(graph) == 0
    assert graph.SerializeToString() == before


def test_dropout_in_a_frozen_graph(tf: Any, tmp_path: Any) -> None:
    with tf.Graph().as_default() as built:
        tf.nn.relu(tf.nn.dropout(placeholder(tf, "x", None, 4), rate=0.5), name="y")
    path = tmp_path / "graph.pb"
    path.write_bytes(built.as_graph_def().SerializeToString())
    assert [node.op_type for node in load(path).graph] == ["Relu"]

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import values, variable
from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load

Write = Callable[..., Path]


@pytest.fixture
def shapeless(tf: Any, tmp_path: Path) -> Write:
    """A graph of early TensorFlow, whose placeholder ``x`` has no shape: an empty one, or none at all."""

    def write(build: Callable[[Any], Any], *, early: bool = False) -> Path:
        with tf.Graph().as_default() as built:
            tf.identity(build(tf.compat.v1.placeholder(tf.float32, name="x")), name="y")
        graph = built.as_graph_def()
        if early:
            (node,) = (node for node in graph.node if node.name == "x")
            node.attr["shape"].shape.Clear()
            graph.versions.producer = 22
        (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
        return tmp_path / "graph.pb"

    return write


def shape(model: Any) -> list[Any]:
    (image,) = model.graph.inputs
    return [size if isinstance(size, int) else str(size) for size in image.shape]


@pytest.mark.parametrize("early", [False, True])
def test_a_convolution_tells_axes_and_channels(tf: Any, agree: Any, shapeless: Write, early: bool) -> None:
    def build(x: Any) -> Any:
        return tf.reduce_mean(tf.nn.conv2d((x - 0.5) / 255.0, values(3, 3, 5, 4), 1, "SAME"), (1, 2))

    assert shape(agree(shapeless(build, early=early))) == ["N", "x_dim_1", "x_dim_2", 5]


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_tells_its_columns(tf: Any, agree: Any, shapeless: Write, transposed: bool) -> None:
    weight = values(3, 100) if transposed else values(100, 3)
    path = shapeless(lambda x: tf.raw_ops.MatMul(a=tf.nn.relu(x), b=weight, transpose_b=transposed))
    assert shape(agree(path)) == ["N", 100]


def test_a_variable_tells_it_too(tf: Any, make: Any) -> None:
    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, name="x")
        tf.raw_ops.MatMul(a=x, b=variable(tf, "weight", 4, 3, use_resource=True).read_value(), name="y")

    assert shape(load(make(build, {}, []).source)) == ["N", 4]


def test_pooling_tells_axes_alone(tf: Any, shapeless: Write) -> None:
    assert shape(load(shapeless(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID")))) == [
        "N",
        "x_dim_1",
        "x_dim_2",
        "x_dim_3",
    ]


def test_uses_that_tell_nothing(tf: Any, shapeless: Write) -> None:
    with pytest.raises(UnsupportedModel, match="input 'x' of 'graph' has no known rank; give it a shape"):
        load(shapeless(lambda x: tf.tanh(x) * np.float32(2)))


def test_a_scalar_stays_one(tf: Any, agree: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (), name="x")
        tf.matmul(tf.fill((2, 2), x), tf.ones((2, 2)), name="y")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert shape(agree(tmp_path / "graph.pb")) == []

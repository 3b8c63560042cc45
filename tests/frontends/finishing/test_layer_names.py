"""What TensorFlow calls a layer is kept beside what the converted graph calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from applications import build
from calibrated import numbers
from onnxpress.kinds import SOURCE_NAME_KEY
from onnxpress_frontends import tensorflow_source

tf = pytest.importorskip("tensorflow")

PRODUCTS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
OTHERS = ("DenseNet121", "EfficientNetB0", "MobileNetV3Small", "ResNet50", "Xception")


def source_names(folder: Path, drawn: tf.Graph) -> dict[str, str]:
    path = folder / "graph.pb"
    path.write_bytes(drawn.as_graph_def().SerializeToString())
    model = tensorflow_source.load(path)
    return {str(node.name): node.meta[SOURCE_NAME_KEY] for node in model.graph if SOURCE_NAME_KEY in node.meta}


def test_a_layer_is_called_after_its_operation_and_not_after_its_bias(tmp_path: Path) -> None:
    drawn = tf.Graph()
    with drawn.as_default(), tf.compat.v1.name_scope("net"):
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 4], name="x")
        value = tf.nn.conv2d(x, numbers(3, 3, 4, 6), 1, "SAME", name="conv")
        value = tf.nn.relu(tf.nn.bias_add(value, numbers(6), name="bias"), name="relu")
        value = tf.nn.max_pool2d(value, 2, 2, "VALID", name="pool")
        value = tf.add(value, tf.nn.avg_pool2d(value, 1, 1, "VALID", name="mean"), name="sum")
        tf.matmul(tf.reshape(value, [-1, 96]), numbers(96, 3), name="y")
    names = source_names(tmp_path, drawn)
    assert set(names.values()) == {"net/conv", "net/pool", "net/mean", "net/sum", "net/y"}
    assert names["bias"] == "net/conv"


def test_numbers_of_the_source_are_kept(tmp_path: Path) -> None:
    drawn = tf.Graph()
    with drawn.as_default():
        value = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 4], name="x")
        for name in ("conv", "conv_1", "conv_2"):
            value = tf.nn.relu(tf.nn.conv2d(value, numbers(1, 1, 4, 4), 1, "SAME", name=name))
    assert set(source_names(tmp_path, drawn).values()) == {"conv", "conv_1", "conv_2"}


@pytest.mark.parametrize("scaled", [False, True])
def test_a_layer_that_took_a_sum_or_a_scale_in_has_its_own_name(scaled: bool, tmp_path: Path) -> None:
    """As inference of BatchNorm is in graphs of Keras."""
    drawn = tf.Graph()
    with drawn.as_default(), tf.compat.v1.name_scope("net"):
        value = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 4], name="x")
        for number, name in enumerate(("left", "right")):
            value = tf.nn.conv2d(value, numbers(3, 3, 4, 4) * (number + 1), 1, "SAME", name=name)
            operands = (value * numbers(4) if scaled else value, numbers(4))
            value = tf.nn.relu(tf.add(*(operands if name == "left" else reversed(operands))))
        value = tf.matmul(tf.reshape(value, [-1, 256]), numbers(256, 3), name="dense")
        tf.identity(tf.add(numbers(3), value), name="y")
    names = source_names(tmp_path, drawn)
    assert {"net/left", "net/right", "net/dense"} <= set(names.values())
    assert scaled or names["left"] == "net/left"


@pytest.mark.parametrize("name", ["MobileNetV2", *(pytest.param(n, marks=pytest.mark.long) for n in OTHERS)])
def test_every_layer_of_a_network_has_the_name_that_its_frozen_graph_has(name: str, tmp_path: Path) -> None:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    network = build(name, size=96)
    called = tf.function(lambda image: network(image, training=False))
    traced = called.get_concrete_function(tf.TensorSpec(network.input_shape, name="image"))
    drawn = convert_variables_to_constants_v2(traced).graph
    layers = {operation.name for operation in drawn.get_operations() if operation.type in PRODUCTS}
    assert layers <= set(source_names(tmp_path, drawn).values())

"""What Keras 3 and tf2onnx make of BatchNormalization is folded to the last node.

tf2onnx folds it into Conv2D itself but leaves Mul and Add behind depthwise and transposed convolutions and Dense.
These tests import TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import model_files
from onnxpress.testing import apply, assert_equivalent
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.clean_up import CLEAN_UP
from onnxpress_plugins.folding.bn_folding import FOLD_BATCH_NORM

FEEDS = {"image": np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)}
AFFINE = ("BatchNormalization", "Mul", "Add", "Sub", "Div")


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras


def convert(function: Any, path: Path) -> ir.Model:
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, 16, 16, 3), tf.float32, name="image")]
    tf2onnx.convert.from_function(tf.function(function), input_signature=signature, opset=17, output_path=str(path))
    model = model_files.load(path)
    verify(model)
    return model


def affine_nodes(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes() if node.op_type in AFFINE]


def fold(before: ir.Model) -> ir.Model:
    clean, _ = apply(CLEAN_UP, before)
    after, notes = apply(FOLD_BATCH_NORM, clean)
    assert notes.declined == []
    # a dozen layers of float32, each scaled once more: a few units of 1e-6 of outputs below 1
    assert_equivalent(before, after, FEEDS, rtol=1e-4, atol=1e-6)
    return after


def normalise(keras: Any, x: Any, **options: bool) -> Any:
    layer = keras.layers.BatchNormalization(**options)
    y = layer(x)
    generator = np.random.default_rng(x.shape[-1])
    layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return keras.layers.ReLU(6.0)(y)


def test_depthwise_separable_and_transposed_convolutions(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255.0, offset=0.0)(image)
    x = normalise(keras, layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x))
    for center, scale in [(True, True), (True, False), (False, True), (False, False)]:
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = normalise(keras, x, center=center, scale=scale)
        x = layers.SeparableConv2D(8, 3, padding="same", depth_multiplier=2)(x)
        x = normalise(keras, x, center=center, scale=scale)
    x = normalise(keras, layers.Conv2DTranspose(6, 3, strides=2, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = normalise(keras, layers.Dense(12)(x))
    network = keras.Model(image, layers.Softmax()(x))

    before = convert(lambda image: network(image, training=False), tmp_path / "m.onnx")
    assert len(affine_nodes(before)) >= 12, "tf2onnx folds everything by now; this test proves nothing"
    assert affine_nodes(fold(before)) == []


def test_small_operators_of_keras_2(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    generator = np.random.default_rng(0)
    kernel = tf.Variable(generator.normal(size=(3, 3, 3, 4)).astype(np.float32))
    gamma, beta, mean, variance = (tf.Variable(generator.uniform(0.5, 1.5, 4).astype(np.float32)) for _ in range(4))

    def network(image: Any) -> Any:
        x = tf.nn.conv2d(image, kernel, strides=1, padding="SAME")
        return tf.nn.relu((x - mean) * tf.math.rsqrt(variance + 1e-3) * gamma + beta)

    before = convert(network, tmp_path / "m.onnx")
    assert len(affine_nodes(before)) >= 3
    assert affine_nodes(fold(before)) == []

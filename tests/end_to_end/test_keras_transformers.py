"""Layer normalisation and GELU, as TensorFlow and Keras write them, arrive as one node each, and int8 lives with them.

These tests import TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from calibrated import numbers, ops
from onnxpress.runtime import Session

TOKENS = numbers(2, 6, 16)
IMAGES = numbers(2, 8, 8, 4)


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras


@pytest.fixture(scope="module")
def tf() -> Any:
    import tensorflow as tf

    return tf


def randomised(network: Any) -> Any:
    """Every gamma, beta and bias has a value of its own."""
    generator = np.random.default_rng(1)
    network.set_weights([weight + generator.uniform(0.1, 0.5, weight.shape) for weight in network.get_weights()])
    return network


def converted(source: Any, expected: np.ndarray[Any, Any], inputs: np.ndarray[Any, Any]) -> Counter[str]:
    """The operators of `source` after the recipe convert, whose output is checked to 1e-5 of its size."""
    model = onnxpress.convert(source).model
    (name,) = (value.name for value in model.graph.inputs)
    (actual,) = Session(model, threads=1).run({name or "": inputs}).values()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return ops(model)


NORMALISATIONS: dict[str, tuple[dict[str, Any], Counter[str]]] = {
    "as it is": ({}, Counter(LayerNormalization=1)),
    "without beta": ({"center": False}, Counter(LayerNormalization=1)),
    "without gamma": ({"scale": False}, Counter(LayerNormalization=1)),
    "over all but the batch": ({"axis": (1, 2, 3)}, Counter(LayerNormalization=1)),
    "over another axis": ({"axis": 1}, Counter(LayerNormalization=1, Transpose=2)),
}


@pytest.mark.parametrize("options", NORMALISATIONS)
def test_layer_normalisation_of_keras(keras: Any, options: str) -> None:
    image = keras.Input((8, 8, 4))
    settings, expected = NORMALISATIONS[options]
    network = randomised(keras.Model(image, keras.layers.LayerNormalization(**settings)(image)))
    assert converted(network, network(IMAGES).numpy(), IMAGES) == expected


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_of_keras(keras: Any, approximate: bool) -> None:
    token = keras.Input((6, 16))
    network = keras.Model(token, keras.activations.gelu(token, approximate=approximate))
    assert converted(network, network(TOKENS).numpy(), TOKENS) == {"Gelu": 1}


def hand_written(tf: Any, x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * (numbers(16) + 2) + numbers(16, seed=1)


def bert(tf: Any, x: Any) -> Any:
    return x * 0.5 * (1.0 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3))))


def keras_2(tf: Any, x: Any) -> Any:
    """What the layer of tf-keras does, line by line."""
    shape = tf.shape(x)
    rows = tf.reduce_prod(shape[:2])
    view = tf.reshape(x, [1, rows, 16, 1])
    y, _, _ = tf.compat.v1.nn.fused_batch_norm(
        view, scale=tf.ones([rows]), offset=tf.zeros([rows]), epsilon=1e-3, data_format="NCHW"
    )
    return tf.reshape(y, shape) * (numbers(16) + 2) + numbers(16, seed=1)


FUNCTIONS = {hand_written: "LayerNormalization", keras_2: "LayerNormalization", bert: "Gelu"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_of_tensorflow(tf: Any, function: Callable[[Any, Any], Any]) -> None:
    traced = tf.function(lambda x: function(tf, x)).get_concrete_function(tf.TensorSpec((None, 6, 16), name="x"))
    assert converted(traced, traced(tf.constant(TOKENS)).numpy(), TOKENS) == {FUNCTIONS[function]: 1}


def test_the_layer_of_tf_keras_in_a_frozen_graph(tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(keras_2(tf, tf.compat.v1.placeholder(tf.float32, (None, 6, 16), name="x")), name="y")
    (path := tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with tf.compat.v1.Session(graph=graph) as session:
        expected = session.run("y:0", {"x:0": TOKENS})
    assert converted(path, expected, TOKENS) == {"LayerNormalization": 1}


@pytest.fixture(scope="module")
def transformer(keras: Any) -> Any:
    """One block: normalised attention and a normalised perceptron with GELU, each around a residual."""
    layers = keras.layers
    token = keras.Input((6, 16), name="token")
    x = layers.LayerNormalization()(token)
    residual = layers.Add()([token, layers.MultiHeadAttention(2, 8)(x, x)])
    x = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(residual))
    return randomised(keras.Model(token, layers.Add()([residual, layers.Dense(16)(x)])))


@pytest.fixture(scope="module")
def convnext(keras: Any) -> Any:
    """One block of ConvNeXt, whose normalisation tf2onnx takes over the channels of NCHW."""
    layers = keras.layers
    image = keras.Input((8, 8, 4), name="image")
    x = layers.LayerNormalization()(layers.DepthwiseConv2D(7, padding="same")(image))
    x = layers.Dense(4)(layers.Activation("gelu")(layers.Dense(16)(x)))
    return randomised(keras.Model(image, layers.Add()([image, x])))


def test_a_transformer_block(transformer: Any) -> None:
    found = converted(transformer, transformer(TOKENS).numpy(), TOKENS)
    assert (found["LayerNormalization"], found["Gelu"]) == (2, 1)
    assert not found.keys() & {"Erf", "Sqrt", "Reciprocal", "ReduceMean", "GlobalAveragePool", "Neg", "Sub"}


def test_a_block_of_convnext(convnext: Any) -> None:
    found = converted(convnext, convnext(IMAGES).numpy(), IMAGES)
    assert (found["LayerNormalization"], found["Gelu"]) == (1, 1)
    assert not found.keys() & {"Erf", "Sqrt", "Reciprocal", "ReduceMean", "GlobalAveragePool", "Neg", "Sub"}


@pytest.mark.parametrize(("block", "shape"), [("transformer", (6, 16)), ("convnext", (8, 8, 4))])
def test_in_int8_they_are_float_nodes_between_integer_layers(
    request: pytest.FixtureRequest, block: str, shape: tuple[int, ...]
) -> None:
    network = request.getfixturevalue(block)
    samples = {network.inputs[0].name: numbers(64, *shape)}
    result = onnxpress.compress(network, data=samples, threads=1)
    found = ops(result.model)
    assert found["LayerNormalization"] and found["Gelu"] and result.model.opset_imports[""] == 20
    assert result.run.comparison is not None and result.run.comparison.outputs[0].sqnr_db > 20
    for node in result.model.graph:
        if node.op_type in ("Gelu", "LayerNormalization"):
            assert node.inputs[0] is not None and node.inputs[0].dtype == ir.DataType.FLOAT
        if node.op_type in ("Conv", "MatMul"):
            makers = [value.producer() for value in node.inputs[:2] if value is not None]
            assert [maker.op_type for maker in makers if maker is not None] == ["DequantizeLinear"] * 2

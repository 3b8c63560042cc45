"""Small TensorFlow models, made once per process, and the comparison every conversion is held to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends import tensorflow_source
from onnxpress_frontends.tensorflow_import import import_keras, import_tensorflow

Agree = Callable[..., ir.Model]


@pytest.fixture(scope="session")
def tf() -> Any:
    return import_tensorflow()


@pytest.fixture(scope="session")
def keras() -> Any:
    return import_keras()


@pytest.fixture(scope="session")
def agree() -> Agree:
    """Convert a source, and assert that onnxruntime gives what TensorFlow gives, to 1e-5 of the largest magnitude."""

    def check(source: Any, **options: Any) -> ir.Model:
        model = tensorflow_source.load(source, **options)
        session, reference = Session(model), tensorflow_source.reference(source, **options)
        assert [port.name for port in session.inputs] == [port.name for port in reference.inputs]
        generator = np.random.default_rng(0)
        feeds = {
            port.name: generator.standard_normal([size if isinstance(size, int) else 9 for size in port.shape]).astype(
                port.dtype
            )
            for port in session.inputs
        }
        actual, expected = session.run(feeds), reference.run(feeds)
        assert list(actual) == list(expected)
        for name, array in expected.items():
            scale = np.abs(array).max()
            assert scale > 0
            np.testing.assert_allclose(actual[name], array, rtol=0, atol=1e-5 * scale, err_msg=name)
        return model

    return check


def randomize(model: Any) -> Any:
    """Give every variable of a Keras model a value of its own, so that a lost or swapped one shows."""
    generator = np.random.default_rng(1)
    model.set_weights(
        [generator.uniform(0.2, 1.2, weight.shape).astype(weight.dtype) for weight in model.get_weights()]
    )
    return model


@pytest.fixture(scope="session")
def cnn(keras: Any) -> Any:
    """Convolution, batch normalisation, depthwise convolution, pooling, dense; input ``image``, output ``scores``."""
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(6, name="relu6")(layers.BatchNormalization(name="norm2")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return randomize(keras.Model(image, layers.Dense(5, name="scores")(x), name="cnn"))


@pytest.fixture(scope="session")
def two_ended(keras: Any) -> Any:
    """Inputs ``left`` and ``right``; a dictionary of outputs ``total`` and ``part``, in that order."""
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    part = layers.Dense(6, name="hidden")(left)
    total = layers.Dense(2, name="last")(layers.Concatenate(name="joined")([part, right]))
    return randomize(keras.Model([left, right], {"total": total, "part": part}, name="two_ended"))


@pytest.fixture(scope="session")
def frozen(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen graph: placeholder ``x``, a convolution, ``scores`` its only leaf."""
    generator = np.random.default_rng(2)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        kernel = tf.constant(generator.standard_normal((3, 3, 3, 4)).astype("float32"))
        y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"), name="features")
        tf.reduce_mean(y, (1, 2), name="scores")
    path = tmp_path_factory.mktemp("frozen") / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.fixture(scope="session")
def exported(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModel that Keras exports."""
    folder = tmp_path_factory.mktemp("exported") / "cnn"
    cnn.export(folder, verbose=False)
    return folder


@pytest.fixture(scope="session")
def two_signatures(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with signatures ``double`` and ``both``."""

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.reshape(tf.range(12.0), (4, 3)))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
        def double(self, x: Any) -> Any:
            return {"y": 2 * x @ self.weight}

        @tf.function(input_signature=[tf.TensorSpec((None, 3), name="zeta"), tf.TensorSpec((None, 4), name="alpha")])
        def both(self, zeta: Any, alpha: Any) -> Any:
            return {"second": zeta + 1, "first": alpha @ self.weight}

    module = Module()
    folder = tmp_path_factory.mktemp("signatures") / "module"
    tf.saved_model.save(module, folder, signatures={"double": module.double, "both": module.both})
    return folder

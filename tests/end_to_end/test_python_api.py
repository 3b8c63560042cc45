"""`onnxpress.convert` and `onnxpress.compress` take whatever holds a model, and leave it as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from onnxpress import model_files
from onnxpress.runtime import Session

IMAGES = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> Any:
    from onnxpress_frontends.tensorflow_import import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3)(image)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(4, name="scores")(x))


def _keras(network: Any, folder: Path) -> Any:
    return network


def _keras_file(network: Any, folder: Path) -> str:
    network.save(folder / "model.keras")
    return str(folder / "model.keras")


def _concrete_function(network: Any, folder: Path) -> Any:
    import tensorflow as tf

    function = tf.function(lambda image: {"scores": network(image, training=False)})
    return function.get_concrete_function(tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image"))


def _module(network: Any, folder: Path) -> Any:
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")])
        def __call__(self, image: Any) -> Any:
            return {"scores": network(image, training=False)}

    return Module()


def _graph(network: Any, folder: Path) -> ir.Model:
    return onnxpress.convert(network).model


def _proto(network: Any, folder: Path) -> Any:
    return model_files.to_proto(_graph(network, folder))


@pytest.mark.parametrize("source", [_keras, _keras_file, _concrete_function, _module, _graph, _proto])
def test_every_source_gives_the_same_numbers(source: Callable[[Any, Path], Any], network: Any, tmp_path: Path) -> None:
    result = onnxpress.convert(source(network, tmp_path), out=tmp_path / "out.onnx")
    session = Session(tmp_path / "out.onnx", threads=1)
    assert [port.name for port in (*session.inputs, *session.outputs)] == ["image", "scores"]
    expected = np.asarray(network(IMAGES, training=False))
    np.testing.assert_allclose(session.run({"image": IMAGES})["scores"], expected, rtol=1e-5, atol=1e-5)
    assert result.run.files == [str(tmp_path / "out.onnx")]


@pytest.mark.parametrize("source", [_graph, _proto])
def test_the_callers_model_is_not_changed(source: Callable[[Any, Path], Any], network: Any, tmp_path: Path) -> None:
    model = source(network, tmp_path)

    def content() -> bytes:
        proto = model_files.to_proto(model) if isinstance(model, ir.Model) else model
        return bytes(proto.SerializeToString(deterministic=True))

    before = content()
    result = onnxpress.compress(model, data={"image": IMAGES})
    assert "QuantizeLinear" in {node.op_type for node in result.model.graph}
    assert content() == before


def test_data_labels_and_evaluation_in_memory(network: Any) -> None:
    labels = np.asarray(network(IMAGES, training=False)).argmax(axis=1)
    result = onnxpress.compress(network, data={"image": IMAGES}, evaluation=IMAGES, labels=labels)
    assert result.run.comparison is not None
    assert result.run.comparison.accuracy_a == 1.0
    assert result.run.comparison.outputs[0].sqnr_db > 25

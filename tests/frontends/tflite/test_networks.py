"""Whole networks, as files of every kind, against TFLite's own interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from applications import blotches, build
from onnxpress.runtime import Session
from onnxpress_frontends.tflite_source import load, reference


@pytest.fixture(scope="module")
def attention(keras: Any) -> Any:
    """A block of a transformer; input ``tokens [N, 6, 16]``."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((6, 16), name="tokens")
    x = keras.layers.Add()([tokens, keras.layers.MultiHeadAttention(2, 8)(tokens, tokens)])
    x = keras.layers.Dense(16, activation="gelu")(keras.layers.LayerNormalization()(x))
    return keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(x))


def test_attention(attention: Any, write: Any, agree: Any) -> None:
    agree(write(attention))


def test_attention_in_integers(attention: Any, write: Any) -> None:
    """Each of two dozen layers may be a step off; the output is three at most."""
    path = write(attention, kind="int8-ends")
    tokens = np.random.default_rng(0).integers(-128, 127, (8, 6, 16), np.int8)
    results = [run.run({"tokens": tokens})["output_0"].astype(int) for run in (Session(load(path)), reference(path))]
    difference = np.abs(results[0] - results[1])
    assert (difference.max() <= 3, difference.mean() <= 0.5) == (True, True)


@pytest.fixture(scope="module")
def images() -> Any:
    return blotches(4, 96, 96, low=-1, high=1, seed=1)


@pytest.fixture(scope="module")
def mobile(keras: Any) -> Any:
    return build("MobileNetV2", size=96)


def both(path: Path, images: Any) -> tuple[Any, Any]:
    """What onnxruntime and the interpreter give, an image at a time."""
    session, runner = Session(load(path)), reference(path)
    (name,) = (port.name for port in session.inputs)
    runs = [[run.run({name: image[None]})["output_0"][0] for image in images] for run in (session, runner)]
    return np.array(runs[0]), np.array(runs[1])


@pytest.mark.long
def test_a_network_of_floats(mobile: Any, images: Any, write: Any) -> None:
    actual, expected = both(write(mobile), images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.long
def test_a_network_of_integers(tf: Any, mobile: Any, images: Any, tmp_path: Path) -> None:
    """Steps add up over 52 convolutions: three sets of kernels that TFLite has differ among themselves by 4 %."""
    converter = tf.lite.TFLiteConverter.from_keras_model(mobile)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in blotches(16, 96, 96, low=-1, high=1, seed=2))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path = tmp_path / "mobile.tflite"
    path.write_bytes(converter.convert())
    actual, expected = both(path, images)
    assert np.abs(actual - expected).max() <= 0.05 * np.abs(expected).max()
    cosines = (actual * expected).sum(1) / np.linalg.norm(actual, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() >= 0.999


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sparse", "sparse-half"])
def test_a_sparse_network(keras: Any, mobile: Any, images: Any, write: Any, kind: str) -> None:
    """85 % zeros in every point-wise convolution."""
    pruned = keras.models.clone_model(mobile)
    pruned.set_weights([_pruned(weight) for weight in mobile.get_weights()])
    actual, expected = both(write(pruned, kind=kind), images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def _pruned(weight: Any) -> Any:
    if weight.shape[:2] != (1, 1):
        return weight
    return np.where(np.abs(weight) < np.quantile(np.abs(weight), 0.85), 0, weight)

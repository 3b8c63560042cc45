"""Networks with channels last come out with channels first, and with Transposes at their ends alone.

tf2onnx has an optimiser for that; these tests do without it, so that there are two Transposes around every convolution.
They import TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress import convert
from onnxpress.runtime import Session
from onnxpress_frontends import tensorflow_source
from onnxpress_frontends.mapping import tf2onnx_optimizers

AFFINE = ("BatchNormalization", "Sub", "Div")


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    others = tf2onnx_optimizers.optimizers()
    del others["optimize_transpose"]
    monkeypatch.setattr(tf2onnx_optimizers, "optimizers", lambda: dict(others))


def converted(model: Any, *, batch: int = 2) -> tuple[Counter[str], Counter[str]]:
    """Operators as mapped and as converted; the numbers must be the same."""
    before, after = tensorflow_source.load(model), convert(model).model
    (port,) = before.graph.inputs
    shape = [size if isinstance(size, int) else batch for size in port.shape or ()]
    feeds = {port.name or "": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    for name, expected in Session(before).run(feeds).items():
        actual = Session(after).run(feeds)[name]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert [(value.name, value.shape) for value in before.graph.inputs] == [
        (value.name, value.shape) for value in after.graph.inputs
    ]
    return tuple(Counter(node.op_type for node in made.graph.all_nodes()) for made in (before, after))  # type: ignore[return-value]


def test_squeeze_and_excite(keras: Any) -> None:
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Activation("silu")(layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(image)))
    for _ in range(2):
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        y = layers.Activation("silu")(layers.BatchNormalization()(y))
        gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y))
        gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="silu")(gate))
        x = layers.Add()([layers.Conv2D(8, 1)(layers.Multiply()([y, gate])), x])
    scores = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    mapped, after = converted(keras.Model(image, scores))
    assert mapped["Transpose"] >= 16
    assert after["Transpose"] == 1 and after["GlobalAveragePool"] == 3
    assert after["Reshape"] == after["Unsqueeze"] == 0 and not any(after[kind] for kind in AFFINE)


def test_a_spatial_output_is_transposed_back(keras: Any) -> None:
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Concatenate()([layers.Conv2DTranspose(4, 2, strides=2)(x), layers.UpSampling2D()(x)])
    _, after = converted(keras.Model(image, layers.Softmax()(layers.Conv2D(2, 1)(x))), batch=16)
    assert after["Transpose"] == 2


@pytest.mark.parametrize(("layer", "sizes", "left"), [("Conv1D", (16,), 2), ("Conv3D", (6, 6, 6), 2)])
def test_one_and_three_dimensions(keras: Any, layer: str, sizes: tuple[int, ...], left: int) -> None:
    signal = keras.Input((*sizes, 4), name="signal")
    make: Callable[..., Any] = getattr(keras.layers, layer)
    x = keras.layers.LeakyReLU()(keras.layers.BatchNormalization()(make(4, 3, padding="same")(signal)))
    x = keras.layers.Add()([make(4, 3, padding="same", activation="tanh")(x), x])
    mapped, after = converted(keras.Model(signal, make(2, 1)(x)))
    assert mapped["Transpose"] >= 6 and after["Transpose"] == left


NETWORKS = {"EfficientNetB0": 1, "EfficientNetV2B0": 1, "MobileNetV3Small": 1, "ResNet50V2": 1, "ConvNeXtTiny": 41}
"""Transposes that are left.  ConvNeXt by turns normalises and multiplies channels last and convolves channels first."""


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(keras: Any, name: str) -> None:
    mapped, after = converted(getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3)))
    assert after["Transpose"] == NETWORKS[name] < mapped["Transpose"]
    assert after["Reshape"] <= 72 * (name == "ConvNeXtTiny") + (name == "MobileNetV3Small")

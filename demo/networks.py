"""The demo's two classifiers, as Keras graphs: pixels float32[N, 28, 28, 1] named `image` to `logits` float32[N, 10].

Both are made of what every edge runtime fuses: convolution, batch normalisation, ReLU, max pooling, global average
pooling and one dense layer. They differ in where the work is. `conv` spends it in dense 3x3 convolutions with many
channels, which integer kernels speed up; `depthwise` has little work at all, spread over many small layers, so that
converting and moving tensors costs most of what the integer arithmetic saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

NOISE = 0.1


def conv() -> keras.Model:
    """Five 3x3 convolutions (32, 64, 64, 128, 256 channels), most of the work at 14x14; 0.43 M parameters."""
    image, x = _stem(32)
    for channels in (64, 64, 128):
        x = _normalised(_conv(channels, 3), x)
    x = _max_pool(x)
    x = _normalised(_conv(256, 3), x)
    return _classifier("fashion_conv", image, x)


def depthwise() -> keras.Model:
    """MobileNet's blocks (depthwise 3x3, then pointwise): 64, 64, 128, 128 channels; 0.04 M parameters."""
    image, x = _stem(32)
    for channels, stride in ((64, 1), (64, 1), (128, 2), (128, 1)):
        x = _normalised(_depthwise_conv(stride), x)
        x = _normalised(_conv(channels, 1), x)
    return _classifier("fashion_depthwise", image, x)


def _stem(channels: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    import keras

    image = keras.Input((28, 28, 1), name="image")
    return image, _normalised(_conv(channels, 3, stride=2, name="stem"), image)


def _classifier(name: str, image: keras.KerasTensor, features: keras.KerasTensor) -> keras.Model:
    import keras

    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(image, {"logits": keras.layers.Dense(10, name="logits")(pooled)}, name=name)


def _normalised(layer: keras.Layer, x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply `layer`, batch normalisation and ReLU, so that the result bears being rounded to int8.

    The normalisation has no scale: positive factors pass through the ReLU into the next layer's kernel, so nothing is
    lost, and every channel keeps about the same range, which one int8 scale suits. In training, noise well above the
    rounding error teaches the layers behind to tolerate it; in inference it is absent.
    """
    import keras

    x = keras.layers.BatchNormalization(scale=False, momentum=0.98)(layer(x))
    return keras.layers.GaussianNoise(NOISE)(keras.layers.ReLU()(x))


def _conv(channels: int, size: int, *, stride: int = 1, name: str | None = None) -> keras.Layer:
    import keras

    return keras.layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False, name=name)


def _depthwise_conv(stride: int) -> keras.Layer:
    import keras

    return keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)


def _max_pool(x: keras.KerasTensor) -> keras.KerasTensor:
    import keras

    return keras.layers.MaxPooling2D(2)(x)


NETWORKS = {"conv": conv, "depthwise": depthwise}

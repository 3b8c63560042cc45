"""Members of keras.applications with random weights that behave: BatchNormalization has seen data.

A deep network with fresh statistics is chaotic: activations grow from layer to layer, and rounding errors with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_PIXELS = 8 * 224 * 224
_PREPROCESSING = ("ConvNeXt", "EfficientNet", "MobileNetV3")


def build(name: str, *, size: int | None = None, seed: int = 0, **options: Any) -> Any:
    """A member of keras.applications without softmax, its statistics taken from eight images of 224 x 224, say.

    Args:
        name: As in ``keras.applications``, e.g. ``ResNet50``.
        size: Height and width of its images; None for its own.
        seed: Of the weights and the images.
        **options: Of the member, e.g. ``include_top``.
    """
    import keras

    keras.utils.set_random_seed(seed)
    shape = {} if size is None else {"input_shape": (size, size, 3)}
    top = {} if options.get("include_top") is False else {"classifier_activation": None}
    model = getattr(keras.applications, name)(weights=None, **shape, **top, **options)
    height, width = (axis or 96 for axis in model.input_shape[1:3])
    count = min(8, max(1, _PIXELS // (height * width)))
    low, high = pixel_range(name, **options)
    calibrate(model, blotches(count, height, width, low=low, high=high, seed=seed))
    return model


def pixel_range(name: str, *, include_preprocessing: bool = True, **_: Any) -> tuple[float, float]:
    """The least and the most that a member of keras.applications takes; some have their preprocessing inside."""
    return (0.0, 255.0) if name.startswith(_PREPROCESSING) and include_preprocessing else (-1.0, 1.0)


def blotches(count: int, height: int, width: int, *, low: float, high: float, seed: int) -> Any:
    """Images of random coloured patches, float32 ``[count, height, width, 3]``.

    To a deep network pixel noise is always the same grey: features hardly vary, and normalising them makes noise of
    rounding errors.
    """
    patches = np.random.default_rng(seed).uniform(low, high, (count, 4, 4, 3))
    rows, columns = (np.arange(length) * 4 // length for length in (height, width))
    return patches[:, rows][:, :, columns].astype(np.float32)


def calibrate(model: Any, images: Any) -> None:
    """Set every BatchNormalization statistic of a Keras model to that of `images`, in place.

    Its offset becomes 1, so that a ReLU behind it is open for most values: a chain of half-closed ones expands errors.
    """
    import keras

    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
        if layer.center:
            layer.beta.assign(np.ones(layer.beta.shape))
    model(images, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum

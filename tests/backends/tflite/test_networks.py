"""MobileNetV2 in every kind of file: what it weighs, what it gives, and which kernels run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from applications import blotches, build
from onnxpress.runtime import Session
from onnxpress.workflow import compress, convert
from saved_models import Written
from tflite_files import operators, run

pytestmark = pytest.mark.long

IMAGE, SCORES = "image", "scores"


@pytest.fixture(scope="module")
def network() -> ir.Model:
    model = convert(build("MobileNetV2")).model
    model.graph.inputs[0].name, model.graph.outputs[0].name = IMAGE, SCORES
    return model


@pytest.fixture(scope="module")
def images() -> Any:
    return blotches(6, 224, 224, low=-1, high=1, seed=5)


def scores(path: Path, images: Any) -> Any:
    return np.concatenate([run(path, **{IMAGE: images[index : index + 1]})[SCORES] for index in range(len(images))])


def reference(model: ir.Model, images: Any, **options: Any) -> Any:
    return Session(model, **options).run({IMAGE: images})[SCORES]


def cosine(actual: Any, expected: Any) -> float:
    one, other = actual.astype(np.float64), expected.astype(np.float64)
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize(
    ("precision", "megabytes", "least"),
    [("float", 14.0, 0.9999999), ("float16", 7.03, 0.99999), ("dynamic", 3.8, 0.999)],
)
def test_floats(
    network: ir.Model, images: Any, written: Written, precision: str, megabytes: float, least: float
) -> None:
    path = written(network, precision=precision)
    assert path.stat().st_size == pytest.approx(megabytes * 1e6, rel=0.01)
    assert cosine(scores(path, images), reference(network, images)) > least


def test_integers_throughout(network: ir.Model, images: Any, written: Written) -> None:
    calibration = {IMAGE: blotches(16, 224, 224, low=-1, high=1, seed=3)}
    quantized = compress(network, recipe="int8", target="tflite", data=calibration).model
    path = written(quantized, integer_io=True)
    assert path.stat().st_size == pytest.approx(4.02e6, rel=0.01)
    assert operators(path) == {
        ("CONV_2D", "int8"): 36,
        ("DEPTHWISE_CONV_2D", "int8"): 17,
        ("ADD", "int8"): 10,
        ("MEAN", "int8"): 1,
        ("RESHAPE", "int8"): 2,
    }
    expected = reference(quantized, images)
    assert cosine(reference(quantized, images, optimize=True), expected) > 0.9999
    assert cosine(scores(path, images), expected) > 0.9999


def test_zeros_are_left_out(written: Written) -> None:
    pruned = convert(build("MobileNetV2", size=96, classes=10)).model
    pruned.graph.inputs[0].name, pruned.graph.outputs[0].name = IMAGE, SCORES
    images = blotches(2, 96, 96, low=-1, high=1, seed=5)
    for name, value in pruned.graph.initializers.items():
        assert value.const_value is not None
        array = value.const_value.numpy()
        if array.ndim == 4 and array.shape[2:] == (1, 1):
            small = np.abs(array) < np.quantile(np.abs(array), 0.8)
            value.const_value = ir.tensor(np.where(small, 0, array).astype(np.float32), name=name)
    for precision, ratio in (("float", 0.32), ("float16", 0.41)):
        dense, sparse = (written(pruned, f"{precision}{on}", precision=precision, sparse=on) for on in (False, True))
        np.testing.assert_array_equal(scores(sparse, images), scores(dense, images))
        assert sparse.stat().st_size / dense.stat().st_size == pytest.approx(ratio, abs=0.01)
        assert operators(sparse)["DENSIFY", "float32" if precision == "float" else "float16"] == 34

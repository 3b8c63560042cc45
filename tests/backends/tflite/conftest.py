"""Small models written as TFLite files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import model as parse
from onnxpress.workflow import compress
from onnxpress_backends.tflite.writing import TFLITE
from saved_models import Written, weights


@pytest.fixture(scope="session")
def tf() -> Any:
    return importlib.import_module("tensorflow")


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """``written(model, name="model", **options)``: the file."""

    def write(model: ir.Model, name: str = "model", **options: Any) -> Path:
        (path,) = TFLITE.emit(model, tmp_path / f"{name}.tflite", **options)
        return Path(path)

    return write


@pytest.fixture
def network() -> ir.Model:
    """Plain and depthwise convolutions, pooling, a dense layer with bias and ReLU."""
    text = """
    agraph (float[N,3,8,8] image, float[16,3,3,3] kernel, float[16] bias, float[16,1,3,3] depthwise,
            float[64,16,1,1] point, float[64,4] dense, float[4] addend) => (float[N,4] scores) {
      c = Conv<pads = [1, 1, 1, 1]>(image, kernel, bias)
      r = Relu(c)
      d = Conv<group = 16, strides = [2, 2]>(r, depthwise)
      p = Conv(d, point)
      g = GlobalAveragePool(p)
      f = Flatten(g)
      m = MatMul(f, dense)
      s = Add(m, addend)
      scores = Relu(s)
    }
    """
    shapes = {"kernel": (16, 3, 3, 3), "depthwise": (16, 1, 3, 3), "point": (64, 16, 1, 1), "dense": (64, 4)}
    arrays = weights(**shapes, bias=(16,), addend=(4,))
    return parse(text, **{name: array - (0.7 if name in shapes else 0) for name, array in arrays.items()})


@pytest.fixture(scope="session")
def images() -> Any:
    return np.random.default_rng(1).standard_normal((5, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def quantized(network: ir.Model) -> ir.Model:
    """The network with scales for TFLite."""
    calibration = np.random.default_rng(3).standard_normal((16, 3, 8, 8)).astype(np.float32)
    return compress(network, recipe="int8", target="tflite", data={"image": calibration}).model

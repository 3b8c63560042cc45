"""Small models with weights, written as SavedModels and loaded again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import model as parse
from onnxpress_backends.saved_model.writing import SAVED_MODEL
from saved_models import Written, weights


@pytest.fixture(scope="session")
def tf() -> Any:
    return importlib.import_module("tensorflow")


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """``written(model, name="model", **options)``: the folder."""

    def write(model: ir.Model, name: str = "model", **options: Any) -> Path:
        (path,) = SAVED_MODEL.emit(model, tmp_path / name, **options)
        return Path(path)

    return write


@pytest.fixture
def network() -> ir.Model:
    """Its weights lie in several ways: as they are, HWIO, HWIM."""
    text = """
    agraph (float[N,3,8,8] image, float[6,3,3,3] kernel, float[6] scale, float[6] offset, float[6] mean,
            float[6] variance, float[6,1,3,3] depthwise, float[6] bias, float[6,4] dense) => (float[N,4] scores) {
      c = Conv<pads = [1, 1, 1, 1]>(image, kernel)
      b = BatchNormalization<momentum = 0.5>(c, scale, offset, mean, variance)
      r = Relu(b)
      d = Conv<group = 6, strides = [2, 2]>(r, depthwise, bias)
      p = GlobalAveragePool(d)
      f = Flatten(p)
      scores = MatMul(f, dense)
    }
    """
    channels = dict.fromkeys(("scale", "offset", "mean", "variance", "bias"), (6,))
    return parse(text, **weights(kernel=(6, 3, 3, 3), depthwise=(6, 1, 3, 3), dense=(6, 4), **channels))


@pytest.fixture(scope="session")
def images() -> Any:
    return np.random.default_rng(1).standard_normal((5, 3, 8, 8)).astype(np.float32)

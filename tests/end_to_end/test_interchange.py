"""ONNX files that were born elsewhere go to every format of TensorFlow's, and give there what onnxruntime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress
import torch_models
from frozen_graphs import FrozenGraph
from onnxpress.runtime import Session
from written_formats import FORMATS

TOLERANCE = 1e-5
"""Largest difference from onnxruntime, over the largest output."""

OPSETS = range(11, 24)


def images() -> Any:
    return np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype(np.float32)


def tokens() -> Any:
    return np.random.default_rng(0).integers(0, 20, (3, 7))


@pytest.fixture(scope="module")
def cnn() -> ir.Model:
    return torch_models.onnx_cnn()


@pytest.fixture(scope="module")
def transformer() -> ir.Model:
    return torch_models.onnx_transformer()


def file(model: ir.Model, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnxpress.convert(model, out=path)
    return path


def agree(model: ir.Model, written: Path, suffix: str, feeds: dict[str, Any], given: dict[str, Any]) -> None:
    """Assert that what was written gives for `given` what onnxruntime gives for `feeds`."""
    expected = Session(model).run(feeds)
    actual = FORMATS[suffix](written, given, list(expected))
    for (name, array), result in zip(expected.items(), actual, strict=True):
        assert result.shape == array.shape, name
        assert np.abs(result - array).max() <= TOLERANCE * np.abs(array).max(), name


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("nhwc", [False, True])
def test_a_cnn_of_pytorch(cnn: ir.Model, suffix: str, nhwc: bool, tmp_path: Path) -> None:
    out = f"{tmp_path}/written{suffix}"
    onnxpress.convert(file(cnn, tmp_path), out=out, nhwc=nhwc)
    feeds = {"image": images()}
    given = {"image": images().transpose(0, 2, 3, 1)} if nhwc else feeds
    agree(cnn, Path(out), suffix, feeds, given)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_transformer_of_pytorch(transformer: ir.Model, suffix: str, tmp_path: Path) -> None:
    out = f"{tmp_path}/written{suffix}"
    onnxpress.convert(file(transformer, tmp_path), out=out)
    feeds = {"tokens": tokens()}
    agree(transformer, Path(out), suffix, feeds, feeds)


@pytest.mark.parametrize(("nhwc", "transposes"), [(False, 1), (True, 0)])
def test_a_cnn_is_transposed_once_if_at_all(cnn: ir.Model, nhwc: bool, transposes: int, tmp_path: Path) -> None:
    onnxpress.convert(file(cnn, tmp_path), out=tmp_path / "written.pb", nhwc=nhwc)
    assert FrozenGraph(tmp_path / "written.pb").ops().count("Transpose") == transposes

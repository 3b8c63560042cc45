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
from interchange import difference
from models.light_onnx import NETWORKS, light
from models.published_onnx import PUBLISHED, photo
from onnxpress.opset import at_least
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from written_formats import FORMATS

TOLERANCE = 1e-5
"""Largest difference from onnxruntime, over the largest output."""


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


@pytest.mark.parametrize("opset", range(11, 27))
def test_a_cnn_of_every_opset(opset: int, tmp_path: Path) -> None:
    """Squeezed, pooled, clipped and resized: operators whose attributes have become inputs since opset 11."""
    network = small_network()
    at_least(network, opset)
    path = file(network, tmp_path)
    onnxpress.convert(path, out=tmp_path / "written.pb")
    agree(network, tmp_path / "written.pb", ".pb", {"image": images()}, {"image": images()})


def small_network() -> ir.Model:
    """Of opset 11."""
    generator = np.random.default_rng(0)
    arrays = {
        name: generator.uniform(-0.5, 0.5, shape).astype(np.float32)
        for name, shape in {"kernel": (8, 3, 3, 3), "deep": (8, 1, 3, 3), "dense": (4, 8)}.items()
    }
    text = """<ir_version: 7, opset_import: ["": 11]>
    agraph (float[N,3,16,16] image, float[8,3,3,3] kernel, float[8,1,3,3] deep, float[4,8] dense) => (float[N,4] y)
    <float low = {0}, float high = {6}, float[4] twice = {1, 1, 2, 2}, float[8] roi = {0, 0, 0, 0, 1, 1, 1, 1}> {
      c = Conv<pads = [1, 1, 1, 1]>(image, kernel) six = Clip(c, low, high)
      parts_a, parts_b = Split<axis = 1>(six) joined = Concat<axis = 1>(parts_b, parts_a)
      d = Conv<group = 8, strides = [2, 2]>(joined, deep) h = HardSigmoid(d) m = Mul(d, h)
      up = Resize<mode = "linear">(m, roi, twice) mean = ReduceMean<axes = [2, 3], keepdims = 0>(up)
      wide = Unsqueeze<axes = [2]>(mean) p = ReduceSum<axes = [2], keepdims = 0>(wide)
      logits = Gemm<transB = 1>(p, dense) y = Softmax<axis = 1>(logits)
    }"""
    return parse(text, **arrays)


@pytest.mark.parametrize("suffix", [".pb", "/"])
def test_an_open_size_that_is_written_as_minus_one(suffix: str, tmp_path: Path) -> None:
    """As PaddlePaddle writes it."""
    network = parse("agraph (float[N,3] x) => (float[N,3] y) { y = Relu(x) }")
    for value in (*network.graph.inputs, *network.graph.outputs):
        value.shape = ir.Shape([-1, 3])
    feeds = {"x": np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)}
    onnxpress.convert(network, out=f"{tmp_path}/written{suffix}")
    agree(network, Path(f"{tmp_path}/written{suffix}"), suffix, feeds, feeds)


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_onnx_itself(name: str, tmp_path: Path) -> None:
    network = light(name)
    feeds = {network.graph.inputs[0].name or "": photo(224, 2) - 1}
    expected = Session(network).run(feeds)
    onnxpress.convert(network, out=tmp_path / "written.pb")
    graph = FrozenGraph(tmp_path / "written.pb")
    assert difference(graph.run(feeds, list(expected)), expected.values()) <= TOLERANCE
    assert graph.ops().count("Transpose") == 1 + (16 if name == "shufflenet" else 0)


@pytest.mark.long
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files(name: str, tmp_path: Path) -> None:
    published = PUBLISHED[name]
    feeds = published.feeds()
    expected = Session(published.path()).run(feeds)
    for suffix in (".pb", "/"):
        onnxpress.convert(published.path(), out=f"{tmp_path}/written{suffix}")
        actual = FORMATS[suffix](Path(f"{tmp_path}/written{suffix}"), feeds, list(expected))
        assert difference(actual, expected.values()) <= published.tolerance

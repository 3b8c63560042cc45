"""Every command that takes a model takes Ascend's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import amct_files
from onnxpress.ascend import deploy_files
from onnxpress.ascend.layers import array, layers
from onnxpress.cli import _run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(amct_files.deploy_file(amct_files.network()), tmp_path / "deploy.onnx")
    onnx.save(amct_files.fake_quant_file(amct_files.network()), tmp_path / "fake.onnx")
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32))
    return tmp_path


def report(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, object]:
    assert _run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["deploy.onnx", "fake.onnx"])
def test_inspect(folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    found = report(capsys, "inspect", folder / name)
    assert found["operators"]["QuantizeLinear"] == 5
    assert not any(operator.startswith("Ascend") for operator in found["operators"])
    assert found["quantized_share"] > 0.9


def test_compare(folder: Path, capsys: pytest.CaptureFixture[str]):
    found = report(capsys, "compare", folder / "deploy.onnx", folder / "fake.onnx", "--data", folder / "data.npz")
    assert [output["max_abs"] for output in found["outputs"]] == [0.0, 0.0]


def test_bench(folder: Path, capsys: pytest.CaptureFixture[str]):
    found = report(capsys, "bench", folder / "deploy.onnx", "--runs", "1")
    assert found["kernels_a"]["counts"]["integer"] == 5


def test_convert_and_back_again(folder: Path, capsys: pytest.CaptureFixture[str]):
    """The words, the integers and the names of layers are those of the file, whichever of AMCT's two it was."""
    for name in ("deploy.onnx", "fake.onnx"):
        back = folder / f"again_from_{name.replace('.onnx', '')}_deploy_model.onnx"
        assert _run(["convert", str(folder / name), "-o", str(back)]) == 0
    assert (folder / "again_from_deploy_deploy_model.onnx").read_bytes() == (
        folder / "again_from_fake_deploy_model.onnx"
    ).read_bytes()
    given = {layer.cube.name: layer for layer in layers(deploy_files.load(folder / "deploy.onnx"))}
    found = {layer.cube.name: layer for layer in layers(deploy_files.load(back))}
    assert list(given) == list(found)
    for name, layer in given.items():
        assert (found[name].scale, found[name].offset) == (layer.scale, layer.offset)
        assert np.array_equal(found[name].deq_scale, layer.deq_scale)
        assert layer.bias is None or np.array_equal(array(found[name].bias), array(layer.bias))


@pytest.mark.parametrize("command", ["inspect", "bench"])
def test_a_broken_file_is_one_line(folder: Path, command: str, capsys: pytest.CaptureFixture[str]):
    proto = onnx.load(folder / "deploy.onnx")
    quant = next(node for node in proto.graph.node if node.op_type == "AscendQuant")
    next(item for item in quant.attribute if item.name == "offset").f = 300
    onnx.save(proto, folder / "broken.onnx")
    assert _run([command, str(folder / "broken.onnx")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"onnxpress: {folder / 'broken.onnx'} is not a valid deploy model: "
        f"node '{quant.name}' (AscendQuant): attribute 'offset' is 300; it must be whole FLOAT in [-128, 127]"
    ]

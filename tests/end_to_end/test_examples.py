"""What the examples say of themselves."""

from __future__ import annotations

import copy
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxpress
from onnxpress import model_files
from onnxpress.decomposition import apply

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_fine_tuning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "fine_tune.py"))["main"](tmp_path, epochs=6)
    original, pruned, tuned = (float(found) for found in re.findall(r"accuracy ([\d.]+) %", capsys.readouterr().out))
    assert original > 90 and pruned < 50 and tuned > pruned + 30
    for node in model_files.load(tmp_path / "tuned.onnx").graph:
        if node.op_type == "Conv":
            kernel = node.inputs[1]
            assert kernel is not None and kernel.const_value is not None
            assert np.mean(kernel.const_value.numpy() == 0) > 0.74


@pytest.fixture(scope="module")
def replaying() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "replay_decomposition.py"))


def test_replaying_a_decomposition_in_pytorch(
    tmp_path: Path, replaying: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    losses = replaying["main"](tmp_path)
    before, after = (float(found) for found in re.findall(r"differs from \w+ by ([\d.e-]+)", capsys.readouterr().out))
    assert before < 1e-5 and after < 1e-5
    assert losses[1] < losses[0] and losses[-1] < losses[0] / 2
    names = {node.name for node in model_files.load(tmp_path / "tuned.onnx").graph}
    assert names >= {part["name"] for layer in stacks_in(tmp_path) for part in layer["parts"]}


def stacks_in(folder: Path) -> list[dict[str, Any]]:
    layers = json.loads((folder / "small.decomposition.json").read_text(encoding="utf-8"))["layers"]
    assert {layer["form"] for layer in layers} == {"spatial", "low_rank"}
    return list(layers)


def test_replaying_what_amct_wrote(tmp_path: Path, replaying: dict[str, Any]) -> None:
    teacher = replaying["network"]()
    student, images = copy.deepcopy(teacher), teacher.get_submodule("1.0").weight.new_ones(2, 3, 32, 32)
    layer = {
        "ori_layer_info": {
            "name": "1.0",
            "in_channels": 64,
            "out_channels": 64,
            "kernel_size": [3, 3],
            "stride": [2, 2],
            "dilation": [1, 1],
            "groups": 1,
        },
        "mode": "SCFK",
        "decom_nodes": {"first": {"weight_shape": [192, 64, 3, 1]}, "last": {"weight_shape": [64, 192, 1, 3]}},
    }
    (tmp_path / "amct.json").write_text(json.dumps([layer], indent="\t"))
    parameters = replaying["replay"]([layer], student)
    whole = onnxpress.convert(teacher, example_inputs=(images,)).model
    model_files.save(apply(tmp_path / "amct.json", whole), tmp_path / "small.onnx")
    replaying["load"](parameters, tmp_path / "small.onnx")
    assert replaying["difference"](student, whole, images) < 1e-5, "the rank is full"


def test_pytorch_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match=r"^this example needs PyTorch \(.*\): pip install 'onnxpress\[torch\]'$"):
        runpy.run_path(str(EXAMPLES / "replay_decomposition.py"))

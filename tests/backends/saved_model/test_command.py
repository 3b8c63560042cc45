from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.cli import _run
from onnxpress.runtime import Session


def test_the_command_writes_a_folder_and_reads_it_again(
    network: ir.Model, images: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder, back = tmp_path / "model.onnx", tmp_path / "model.v1", tmp_path / "back.onnx"
    ir.save(network, source)
    assert _run(["convert", str(source), "-o", f"{folder}/", "--mode", "float", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"] == [str(folder)]
    assert shown["size_after"] == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert _run(["convert", str(folder), "-o", str(back), "--json"]) == 0
    expected = Session(network).run({"image": images})["scores"]
    actual = Session(back).run({"image": images})["scores"]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())

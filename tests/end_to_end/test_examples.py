"""What the examples say of themselves."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from onnxpress import model_files

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

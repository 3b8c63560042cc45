"""Corrupt files and interruptions through the command line: one clear line, nothing written, nothing changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from onnxpress import model_files, testing
from onnxpress.cli import _run

RECIPE = """target = "onnxruntime-cpu"

[[step]]
pass = "clean-up"

[[step]]
pass = "calibrate"
observer = "entropy"
"""


def _model_bytes(tmp_path: Path) -> bytes:
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    model = testing.model(
        "agraph (float[N,3,8,8] x, float[4,3,3,3] w) => (float[N,4,6,6] y) { a = Conv(x, w) \n y = Relu(a) }", w=weight
    )
    model_files.save(model, tmp_path / "whole.onnx")
    return (tmp_path / "whole.onnx").read_bytes()


def _mutations(whole: bytes, number: int, seed: int) -> list[bytes]:
    generator = np.random.default_rng(seed)
    broken = [whole[: int(generator.integers(0, len(whole)))] for _ in range(number // 2)]
    for _ in range(number - len(broken)):
        flipped = bytearray(whole)
        for position in generator.integers(0, len(whole), size=3):
            flipped[position] ^= 1 << int(generator.integers(0, 8))
        broken.append(bytes(flipped))
    return broken


def _check(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.write_bytes(b"what was there before")
    code = _run(arguments)
    message = capsys.readouterr().err
    if code:
        assert out.read_bytes() == b"what was there before"
        assert message.startswith("onnxpress: ") and "Traceback" not in message and "internal error" not in message
    else:
        model_files.load(out)
    assert not list(out.parent.glob(".onnxpress-*"))


@pytest.mark.parametrize("seed", range(3))
def test_broken_onnx_files(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for broken in _mutations(_model_bytes(tmp_path), 20, seed):
        (tmp_path / "broken.onnx").write_bytes(broken)
        _check(
            ["convert", str(tmp_path / "broken.onnx"), "-o", str(tmp_path / "out.onnx")], tmp_path / "out.onnx", capsys
        )


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_broken_onnx_files(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for broken in _mutations(_model_bytes(tmp_path), 50, seed):
        (tmp_path / "broken.onnx").write_bytes(broken)
        _check(
            ["convert", str(tmp_path / "broken.onnx"), "-o", str(tmp_path / "out.onnx")], tmp_path / "out.onnx", capsys
        )


@pytest.mark.parametrize("seed", range(3))
def test_broken_recipes(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model_bytes(tmp_path)
    for broken in _mutations(RECIPE.encode(), 20, seed):
        (tmp_path / "broken.toml").write_bytes(broken)
        arguments = ["compress", str(tmp_path / "whole.onnx"), "--recipe", str(tmp_path / "broken.toml")]
        _check(
            [*arguments, "--random-data", "--no-bench", "-o", str(tmp_path / "out.onnx")], tmp_path / "out.onnx", capsys
        )


def test_ctrl_c_during_calibration_leaves_nothing_behind(tmp_path: Path) -> None:
    _model_bytes(tmp_path)
    (tmp_path / "slow.py").write_text(
        "import time, numpy as np\n"
        "from pathlib import Path\n"
        "def feeds():\n"
        "    while True:\n"
        "        Path('calibrating').touch()\n"
        "        time.sleep(0.01)\n"
        "        yield {'x': np.ones((1, 3, 8, 8), np.float32)}\n"
    )
    command = [
        sys.executable,
        "-m",
        "onnxpress.cli",
        "compress",
        "whole.onnx",
        "--data",
        "slow:feeds",
        "-o",
        "out.onnx",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "calibrating").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message.splitlines()[-1] == "onnxpress: interrupted; no file is half-written"
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"whole.onnx", "slow.py", "calibrating"}


def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model_bytes(tmp_path)
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out.onnx"
    assert _run(["convert", str(tmp_path / "whole.onnx"), "-o", str(out)]) == 1
    assert f"cannot write in {out.parent}" in capsys.readouterr().err

"""Ctrl-C in the midst of the pass: one line, and every file as it was, the one beside the model included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from low_rank_networks import Images, network
from onnxpress import model_files

SLOW_SAMPLES = """
import time
from pathlib import Path

import numpy as np


def samples():
    yield {"x": np.load("sample.npy")}
    Path("begun").touch()
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="commands are supervised on Linux only")
def test_ctrl_c_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model_files.save(network(), Path("net.onnx"))
    np.save("sample.npy", Images().sample(0))
    Path("slow.py").write_text(SLOW_SAMPLES)
    for old in ("out.onnx", "out.decomposition.json"):
        Path(old).write_bytes(b"as it was")
    before = {path.name for path in tmp_path.iterdir()}
    arguments = ["compress", "net.onnx", "--recipe", "low-rank", "--data", "slow:samples", "-o", "out.onnx"]
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxpress.cli", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    deadline = time.monotonic() + 60
    while not Path("begun").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message.splitlines()[-1] == "onnxpress: interrupted; no file is half-written"
    assert {path.name for path in tmp_path.iterdir()} == {*before, "begun"}
    assert all(Path(old).read_bytes() == b"as it was" for old in ("out.onnx", "out.decomposition.json"))

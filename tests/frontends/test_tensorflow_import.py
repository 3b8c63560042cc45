from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest

from onnxpress_frontends.tensorflow_import import quiet

LIST_FRONTENDS = """
import sys, json
from pathlib import Path
import onnxpress_frontends
accepting = [item.name for item in onnxpress_frontends.onnxpress_frontends() if item.accepts(Path("model.keras"))]
heavy = [name for name in ("tensorflow", "keras", "tf2onnx", "h5py", "onnx", "onnx_ir") if name in sys.modules]
print(json.dumps([accepting, heavy]))
"""
ENVIRONMENT = """
import os, json
from onnxpress_frontends.tensorflow_import import import_tensorflow
import_tensorflow()
print(json.dumps([os.environ[name] for name in ("TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES")]))
"""


def run(script: str, **environment: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CUDA_"))}
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, env={**inherited, **environment}, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_asking_the_frontends_imports_nothing_heavy() -> None:
    assert run(LIST_FRONTENDS) == [["tensorflow"], []]


def test_tensorflow_is_exact_and_on_the_cpu_unless_the_user_says_otherwise() -> None:
    assert run(ENVIRONMENT, CUDA_VISIBLE_DEVICES="7") == ["0", "7"]


def test_quiet_restores_the_levels(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    with pytest.raises(ValueError, match="through"), quiet():
        logger.error("silenced")
        raise ValueError("through")
    assert logger.level == before
    assert "silenced" not in caplog.text

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxpress import model_files
from onnxpress_frontends.tensorflow_source import load

CONVERT = """
import sys
from pathlib import Path
from onnxpress import model_files
from onnxpress_frontends.tensorflow_source import load
for source in sys.argv[2:]:
    model_files.save(load(Path(source)), Path(sys.argv[1]) / (Path(source).name + ".onnx"))
"""


@pytest.fixture(scope="module")
def sources(cnn: Any, exported: Path, frozen: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("keras") / "cnn.keras"
    cnn.save(path)
    return [path, exported, frozen]


def test_bytes_depend_on_the_source_alone(sources: list[Path], tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = [sys.executable, "-c", CONVERT, str(tmp_path / seed), *map(str, sources)]
        subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
    for source in sources:
        first, second = ((tmp_path / seed / f"{source.name}.onnx").read_bytes() for seed in ("1", "2"))
        assert first == second
        assert first == model_files.to_proto(load(source)).SerializeToString(deterministic=True)

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
def sources(keras: Any, exported: Path, frozen: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A SavedModel, a frozen graph, loops, and branches with many equal constants, which tf2onnx merges."""
    layers = keras.layers
    x = image = keras.Input((16, 16, 3), name="image")
    for index in range(4):
        y = layers.ReLU(6, name=f"clip_{index}")(layers.Conv2D(8, 3, padding="same", name=f"conv_{index}")(x))
        y = layers.BatchNormalization(name=f"norm_{index}")(layers.DepthwiseConv2D(3, padding="same")(y))
        x = layers.Concatenate(name=f"joined_{index}")([x, y])
    parts = [layers.Flatten(name=f"flat_{name}")(layers.ReLU(name=name)(x)) for name in ("left", "right")]
    path = tmp_path_factory.mktemp("keras") / "branches.keras"
    keras.Model(image, layers.Concatenate(name="scores")(parts)).save(path)
    masked = layers.Masking()(series := keras.Input((None, 3), name="series"))
    loops = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="both"))(masked)
    keras.Model(series, layers.GRU(2, name="last")(loops)).save(path.with_name("loops.keras"))
    return [path, path.with_name("loops.keras"), exported, frozen]


def test_bytes_depend_on_the_source_alone(sources: list[Path], tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = [sys.executable, "-c", CONVERT, str(tmp_path / seed), *map(str, sources)]
        subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
    for source in sources:
        first, second = ((tmp_path / seed / f"{source.name}.onnx").read_bytes() for seed in ("1", "2"))
        assert first == second
        (again,) = model_files.save(load(source), tmp_path / "again.onnx")
        assert first == again.read_bytes()

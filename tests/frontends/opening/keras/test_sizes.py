from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.sizes import refuse_oversized
from onnxpress_frontends.tensorflow_source import load


def config(*, input_shape: Any = (None, 8, 8, 3), **sizes: int) -> dict[str, Any]:
    shape = None if input_shape is None else list(input_shape)
    own = {"name": "conv", "filters": 8, **sizes}
    layer = {"class_name": "Conv2D", "config": own, "build_config": {"input_shape": shape}}
    return {"class_name": "Functional", "config": {"name": "net", "layers": [layer]}}


@pytest.fixture
def kilobyte(tmp_path: Path) -> Path:
    path = tmp_path / "model.h5"
    path.write_bytes(bytes(1024))
    return path


@pytest.mark.parametrize(
    "sizes",
    [{}, {"filters": 2048}, {"seed": 10**9}, {"input_shape": [None, 10**6, 8, 3]}, {"input_shape": None}],
    ids=str,
)
def test_what_fits_passes(kilobyte: Path, sizes: dict[str, Any]) -> None:
    refuse_oversized(config(**sizes), kilobyte)


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"filters": 2049}, "filters 2049"),
        ({"units": 10**12}, "units 1000000000000"),
        ({"input_shape": [None, 8, 8, 10**8]}, "an input of 100000000"),
    ],
)
def test_what_cannot_fit_is_named(kilobyte: Path, sizes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidModel) as caught:
        refuse_oversized(config(**sizes), kilobyte)
    assert str(caught.value) == f"{kilobyte} is corrupt: layer 'conv' has {complaint}, more than the file has weights"


def test_an_archive_is_refused_before_it_is_built(cnn: Any, tmp_path: Path) -> None:
    whole, changed = tmp_path / "whole.keras", tmp_path / "changed.keras"
    cnn.save(whole)
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(changed, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                described = json.loads(content)
                dense = next(layer for layer in described["config"]["layers"] if layer["class_name"] == "Dense")
                dense["config"]["units"] = 10**9
                content = json.dumps(described).encode()
            copy.writestr(name, content)
    with pytest.raises(InvalidModel, match="layer 'scores' has units 1000000000, more than the file has weights"):
        load(changed)

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.containers import describe

CONFIG = {"class_name": "Functional", "config": {"name": "net", "layers": []}}


def hdf5(path: Path, config: Any = CONFIG, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, (str, bytes)) else json.dumps(config)
        file.attrs.update(attributes)
    return path


def archive(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as written:
        for name, text in files.items():
            written.writestr(f"{name}.json", text)
    return path


@pytest.mark.parametrize(
    ("attributes", "major"),
    [
        ({"keras_version": "3.15.1"}, 3),
        ({"keras_version": b"2.2.4-tf"}, 2),
        ({"keras_version": np.float32(2)}, 2),
        ({}, 2),
    ],
    ids=["three", "bytes", "number", "missing"],
)
def test_hdf5_files_and_the_keras_that_wrote_them(tmp_path: Path, attributes: Any, major: int) -> None:
    described = describe(hdf5(tmp_path / "a.h5", **attributes))
    assert (described.config, described.keras) == (CONFIG, major)


@pytest.mark.parametrize(
    ("metadata", "major"),
    [({"metadata": '{"keras_version": "2.13.1"}'}, 2), ({"metadata": '{"keras_version": "3.0.0"}'}, 3), ({}, 3)],
    ids=["two", "three", "missing"],
)
def test_archives_and_the_keras_that_wrote_them(tmp_path: Path, metadata: dict[str, str], major: int) -> None:
    described = describe(archive(tmp_path / "a.keras", config=json.dumps(CONFIG), **metadata))
    assert (described.config, described.keras) == (CONFIG, major)


def test_a_sequential_that_is_a_list_becomes_one_that_is_not(tmp_path: Path) -> None:
    layers = [{"class_name": "Dense", "config": {"name": "dense"}}]
    described = describe(hdf5(tmp_path / "a.h5", {"class_name": "Sequential", "config": layers}))
    assert described.config["config"] == {"name": "sequential", "layers": layers}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "its model configuration is not JSON"),
        (b"\xff\xfe", "its model configuration is not JSON"),
        ("[" * 100_000, "its model configuration is not JSON"),
        ("[]", "its model configuration describes no model"),
        ('{"class_name": "Functional"}', "its model configuration describes no model"),
    ],
    ids=["cut", "bytes", "deep", "list", "empty"],
)
def test_configurations_that_are_none(tmp_path: Path, config: str | bytes, reason: str) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as written:
        written.writestr("config.json", config)
    with pytest.raises(InvalidModel, match=f"a.keras is corrupt: {reason}"):
        describe(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"a\.keras is not a Keras file: it holds no config\.json"):
        describe(archive(tmp_path / "a.keras", other="{}"))

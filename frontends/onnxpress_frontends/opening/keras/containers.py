"""The two containers of Keras models, ``.keras`` archives and ``.h5``: what each says of the model in it."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.keras.dialect import Config
from onnxpress_frontends.opening.keras.string_heaps import refuse_endless_heaps

ARCHIVES = (".keras",)
HDF5 = (".h5", ".hdf5")


@dataclass(frozen=True)
class Description:
    """A model as its file describes it.

    Attributes:
        config: The configuration: ``{"class_name": .., "config": {..}}``.
        keras: Major version of the Keras that wrote it; 2 where the file does not say.
    """

    config: Config
    keras: int


def describe(path: Path) -> Description:
    """What a ``.keras`` or ``.h5`` file says of its model.

    Raises:
        InvalidModel: The file is missing, truncated, corrupt, or holds weights only.
    """
    if not path.is_file():
        raise InvalidModel(f"{path} does not exist")
    text, version = _read_archive(path) if path.suffix.lower() in ARCHIVES else _read_hdf5(path)
    major = re.match(r"\d+", version)
    return Description(_parse(text, path), int(major[0]) if major else 2)


def _read_archive(path: Path) -> tuple[str | bytes, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            text = archive.read("config.json")
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in archive.namelist() else {}
    except KeyError as error:
        raise InvalidModel(f"{path} is not a Keras file: it holds no config.json") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InvalidModel(f"{path} is not a Keras file, or is truncated or corrupt ({first_line(error)})") from error
    if damaged is not None:
        raise InvalidModel(f"{path} is corrupt: the checksum of {damaged!r} is wrong")
    return text, str(metadata.get("keras_version", "3") if isinstance(metadata, dict) else "3")


def _read_hdf5(path: Path) -> tuple[str | bytes, str]:
    import h5py

    refuse_endless_heaps(path)
    try:
        with h5py.File(path, "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    except Exception as error:  # h5py passes on whatever its C library stumbles over
        raise InvalidModel(f"{path} is not a Keras file, or is truncated or corrupt ({first_line(error)})") from error
    if text is None:
        raise InvalidModel(f"{path} holds weights without a model; save the whole model with model.save()")
    return text, version.decode(errors="replace") if isinstance(version, bytes) else str(version)


def _parse(text: Any, path: Path) -> Config:
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidModel(f"{path} is corrupt: its model configuration is not JSON") from error
    if isinstance(config, dict) and config.get("class_name") == "Sequential" and isinstance(config.get("config"), list):
        config["config"] = {"name": "sequential", "layers": config["config"]}
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise InvalidModel(f"{path} is corrupt: its model configuration describes no model")
    return config

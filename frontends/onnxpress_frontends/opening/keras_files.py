"""Keras files: ``.keras`` archives and ``.h5``, opened without running what they carry."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.keras_safety import refuse_code
from onnxpress_frontends.tensorflow_import import import_keras, quiet

ARCHIVES = (".keras",)
HDF5 = (".h5", ".hdf5")


def open_keras_file(path: Path, *, allow_custom_objects: bool) -> Any:
    """The `keras.Model` in a file, without its optimizer and losses.

    Args:
        path: A ``.keras`` or ``.h5`` file.
        allow_custom_objects: Run Lambda layers and registered custom objects.

    Raises:
        InvalidModel: The file is missing, truncated, corrupt, or holds weights only.
        UnsupportedModel: It holds a Lambda layer or a custom object that is not allowed, or not registered.
    """
    config = _archive_config(path) if path.suffix.lower() in ARCHIVES else _hdf5_config(path)
    if not allow_custom_objects:
        refuse_code(config, str(path))
    keras = import_keras()
    try:
        with quiet():
            return keras.models.load_model(path, compile=False, safe_mode=not allow_custom_objects)
    except Exception as error:  # Keras raises TypeError, ValueError, KeyError, OSError ... for what it cannot read
        reason = _cause(error)
        if "Could not locate" in reason or "Unknown layer" in reason:
            raise UnsupportedModel(
                f"{path} uses an object that Keras does not know ({reason}); "
                "register it with keras.saving.register_keras_serializable in your program and load it there"
            ) from error
        raise InvalidModel(f"Keras cannot read {path}, it may be corrupt: {reason}") from error


def _archive_config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            text = archive.read("config.json")
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} does not exist") from error
    except KeyError as error:
        raise InvalidModel(f"{path} is not a Keras file: it holds no config.json") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InvalidModel(f"{path} is not a Keras file, or is truncated or corrupt ({first_line(error)})") from error
    if damaged is not None:
        raise InvalidModel(f"{path} is corrupt: the checksum of {damaged!r} is wrong")
    return _parse(text, path)


def _hdf5_config(path: Path) -> dict[str, Any]:
    import h5py

    if not path.is_file():
        raise InvalidModel(f"{path} does not exist")
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except Exception as error:  # h5py passes on whatever its C library stumbles over
        raise InvalidModel(f"{path} is not a Keras file, or is truncated or corrupt ({first_line(error)})") from error
    if text is None:
        raise InvalidModel(f"{path} holds weights without a model; save the whole model with model.save()")
    return _parse(text, path)


def _parse(text: str | bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidModel(f"{path} is corrupt: its model configuration is not JSON") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise InvalidModel(f"{path} is corrupt: its model configuration describes no model")
    return config


def _cause(error: BaseException) -> str:
    """Keras gives the reason after the whole configuration, at every level of nesting; the innermost counts."""
    reason = first_line(ValueError(str(error).rpartition("Exception encountered:")[2]))
    return reason.partition(". ")[0].rstrip(".")

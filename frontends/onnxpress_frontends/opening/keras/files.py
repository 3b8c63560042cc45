"""Keras files, of Keras 3 and of Keras 2, opened without running what they carry.

An archive of Keras 3 is read by Keras.  Of everything else the configuration is brought into Keras 3's words, a model
is built from it, and the model is given the weights.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.keras import containers, operations
from onnxpress_frontends.opening.keras.dialect import Config, label, translate
from onnxpress_frontends.opening.keras.safety import refuse_code
from onnxpress_frontends.opening.keras.sizes import refuse_oversized
from onnxpress_frontends.opening.keras.weights import load_weights
from onnxpress_frontends.opening.keras.wiring import rewire
from onnxpress_frontends.tensorflow_import import import_keras, quiet

ARCHIVES, HDF5 = containers.ARCHIVES, containers.HDF5

_WEIGHTS = "model.weights.h5"
_UNKNOWN_KEY = re.compile(r"Unrecognized keyword arguments? passed to (\w+): \{'(\w+)'")


def open_keras_file(path: Path, *, allow_custom_objects: bool) -> Any:
    """The `keras.Model` in a file, without its optimizer and losses.

    Args:
        path: A ``.keras`` or ``.h5`` file.
        allow_custom_objects: Run Lambda layers and registered custom objects.

    Raises:
        InvalidModel: The file is missing, truncated, corrupt, or holds weights only.
        UnsupportedModel: It holds a Lambda layer or a custom object that is not allowed, or not registered, or an
            argument that Keras 3 does not know.
    """
    described = containers.describe(path)
    is_archive = path.suffix.lower() in ARCHIVES
    config = described.config
    try:
        if described.keras < 3:
            config = translate(config)
        elif not is_archive:
            config = label(config)
        if not allow_custom_objects:
            refuse_code(config, str(path))
        refuse_oversized(config, path)
        with quiet():
            if is_archive and described.keras >= 3:
                return import_keras().models.load_model(path, compile=False, safe_mode=not allow_custom_objects)
            build = _build if described.keras >= 3 else _build_translated
            model = build(config, safe_mode=not allow_custom_objects)
            (_fill_from_archive if is_archive else _fill_from_hdf5)(model, path)
    except OnnxpressError:
        raise
    except Exception as error:  # Keras raises TypeError, ValueError, KeyError, OSError ... for what it cannot read
        raise _explained(error, config, path) from error
    return model


def _build(config: Config, *, safe_mode: bool, custom_objects: Config | None = None) -> Any:
    keras = import_keras()
    return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects, safe_mode=safe_mode)


def _build_translated(config: Config, *, safe_mode: bool) -> Any:
    prepared = operations.named_here(rewire(config))
    return _build(prepared, safe_mode=safe_mode, custom_objects=operations.custom_objects())


def _fill_from_hdf5(model: Any, path: Path) -> None:
    import h5py

    with h5py.File(path, "r") as file:
        load_weights(model, file["model_weights"], source=str(path))


def _fill_from_archive(model: Any, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        model.load_weights(archive.extract(_WEIGHTS, folder))


def _explained(error: Exception, config: Config, path: Path) -> OnnxpressError:
    reason = _cause(error)
    unknown = _UNKNOWN_KEY.search(str(error))
    if unknown:
        kind, key = unknown.groups()
        owners = ", ".join(repr(name) for name in _owners(config, kind, key))
        version = import_keras().__version__
        return UnsupportedModel(f"{path}: layer {owners} ({kind}) has key {key!r}, which Keras {version} does not know")
    if "Could not locate" in reason or "Unknown layer" in reason:
        return UnsupportedModel(
            f"{path} uses an object that Keras does not know ({reason}); "
            "register it with keras.saving.register_keras_serializable in your program and load it there"
        )
    return InvalidModel(f"Keras cannot read {path}, it may be corrupt: {reason}")


def _owners(item: Any, kind: str, key: str) -> list[str]:
    """Names of the layers of class `kind` that have `key`."""
    if isinstance(item, list):
        return [name for child in item for name in _owners(child, kind, key)]
    if not isinstance(item, dict):
        return []
    config = item.get("config")
    found = [name for value in item.values() for name in _owners(value, kind, key)]
    if item.get("class_name") == kind and isinstance(config, dict) and key in config:
        found.insert(0, str(config.get("name")))
    return found


def _cause(error: BaseException) -> str:
    """Keras gives the reason after the whole configuration, at every level of nesting; the innermost counts."""
    reason = first_line(ValueError(str(error).rpartition("Exception encountered:")[2]))
    return reason.partition(". ")[0].rstrip(".")

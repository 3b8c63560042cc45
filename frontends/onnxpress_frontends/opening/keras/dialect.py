"""What Keras 2 wrote, in the words of Keras 3: a model configuration translated, nothing of it run.

Keras 3 renamed and dropped arguments, refuses those it does not know, and silently reads some values otherwise.  The
tables of `vocabulary` say what becomes of every class and key; a value that Keras 3 cannot express is refused by
layer and key.  Initialisers, regularisers and constraints are left out.
"""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras import vocabulary
from onnxpress_frontends.tensorflow_import import import_keras

Config = dict[str, Any]

_REMEDY = "save the model as a SavedModel with the Keras it comes from, and convert that"


def plain_name(name: str) -> str:
    """A layer's name without slashes, which Keras 3 does not allow."""
    return name.replace("/", "_")


def is_object(item: Any) -> bool:
    """Whether `item` describes an object: ``{"class_name": .., "config": {..}}``."""
    return isinstance(item, dict) and isinstance(item.get("class_name"), str) and isinstance(item.get("config"), dict)


def translate(item: Any) -> Any:
    """A copy of a configuration that Keras 2 wrote, in the words of Keras 3; the wiring of its layers stays as it is.

    Raises:
        UnsupportedModel: A layer has a value that Keras 3 cannot express; the message names layer and key.
    """
    if isinstance(item, list):
        return [translate(child) for child in item]
    if not isinstance(item, dict):
        return item
    if not is_object(item):
        return {key: translate(value) for key, value in item.items()}
    kind: str = item["class_name"]
    config: Config = item["config"]
    if kind in ("Policy", "PolicyV1"):
        return config.get("name")
    if kind in vocabulary.REMOVED:
        raise UnsupportedModel(f"layer {config.get('name')!r} ({kind}) is none of Keras 3; {_REMEDY}")
    renamed = vocabulary.RENAMED_CLASSES.get(kind, kind)
    module = _module(renamed)
    name = {"name": plain_name(item["name"])} if "name" in item else {}
    if not module and kind not in vocabulary.OPERATIONS:
        return item | {"config": translate(config)} | name
    entry = {key: item[key] for key in ("inbound_nodes", "shared_object_id") if key in item} | name
    arguments = _arguments(kind, _with_input(config) if renamed == "Sequential" else config)
    return entry | {"class_name": renamed, "config": arguments} | _home(module)


def label(item: Any) -> Any:
    """A copy of a configuration whose layers say that they are Keras' own.

    Without a module Keras takes a way of old, which forgets the ``axis`` of a layer when it is a list.
    """
    if isinstance(item, list):
        return [label(child) for child in item]
    if not isinstance(item, dict):
        return item
    labelled = {key: label(value) for key, value in item.items()}
    return labelled | _home(_module(item["class_name"])) if is_object(item) and "module" not in item else labelled


def _home(module: str | None) -> Config:
    return {"module": module, "registered_name": None} if module else {}


def _module(kind: str) -> str | None:
    """Where Keras 3 has a model or layer class; None if it has none of that name."""
    is_layer = isinstance(getattr(import_keras().layers, kind, None), type)
    return vocabulary.MODULES.get(kind) or ("keras.layers" if is_layer else None)


def _arguments(kind: str, config: Config) -> Config:
    renamed, dropped = vocabulary.RENAMED_KEYS.get(kind, {}), vocabulary.DROPPED.get(kind, {})
    arguments = dict(vocabulary.DEFAULTS.get(kind, {}))
    for key, value in config.items():
        if key in dropped:
            _require_harmless(kind, config, key, dropped[key])
        elif not key.endswith(vocabulary.TRAINING_KEYS):
            arguments[renamed.get(key, key)] = _value(kind, key, value)
    arguments.pop("batch_input_shape", None)
    return arguments


def _require_harmless(kind: str, config: Config, key: str, harmless: vocabulary.Harmless) -> None:
    if harmless and config[key] not in harmless:
        raise UnsupportedModel(
            f"layer {config.get('name')!r} ({kind}) has {key}={config[key]!r}, which Keras 3 cannot express; {_REMEDY}"
        )


def _value(kind: str, key: str, value: Any) -> Any:
    if key == "name" and isinstance(value, str):
        return plain_name(value)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if kind == "Lambda" and key == "function" and isinstance(value, list):
        code, defaults, closure = value
        return {"class_name": "__lambda__", "config": {"code": code, "defaults": defaults, "closure": closure}}
    return translate(value)


def _with_input(config: Config) -> Config:
    """A Sequential whose first layer knows its input shape starts with an InputLayer instead."""
    first = config["layers"][0]["config"] if config["layers"] else {}
    if "batch_input_shape" not in first or config["layers"][0]["class_name"] == "InputLayer":
        return config
    arguments = {key: first[key] for key in ("batch_input_shape", "dtype") if key in first}
    arguments["name"] = f"{first.get('name')}_input"
    return config | {"layers": [{"class_name": "InputLayer", "config": arguments}, *config["layers"]]}

"""What a Keras file would run: found in its configuration, before Keras sees the file.

A Lambda layer carries Python bytecode; a custom object names code of the user's own.  Keras writes every object as
``{"class_name": .., "config": .., "module": .., "registered_name": ..}``; its own objects have a module of package
``keras`` (or none, in ``.h5`` files) and no registered package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnxpress.errors import UnsupportedModel

_PLAIN = frozenset(("__tensor__", "__numpy__", "__keras_tensor__", "__tuple__", "__bytes__", "__ellipsis__", "slice"))


def refuse_code(config: dict[str, Any], source: str) -> None:
    """Refuse a model configuration that holds a Lambda layer or a custom object.

    The training configuration of the model itself is not searched, as nothing loads it; those of models inside are.

    Raises:
        UnsupportedModel: It does; the message names the layers.
    """
    loaded = {key: value for key, value in config.items() if key != "compile_config"}
    found = dict.fromkeys(_code_in(loaded, str(config.get("config", {}).get("name", ""))))
    if found:
        raise UnsupportedModel(
            f"{source} would run code of its own: {', '.join(found)}; "
            "if you trust the file, allow it with allow_custom_objects (--allow-custom-objects)"
        )


def _code_in(item: Any, owner: str) -> Iterator[str]:
    if isinstance(item, list):
        for child in item:
            yield from _code_in(child, owner)
    if not isinstance(item, dict):
        return
    config = item.get("config")
    name = item.get("name") or (config.get("name") if isinstance(config, dict) else None)
    owner = name if isinstance(name, str) and "class_name" in item else owner
    if "class_name" in item:
        kind = _code_of(item)
        if kind:
            yield f"{kind} in {owner!r}" if owner else kind
            return
    for child in item.values():
        yield from _code_in(child, owner)


def _code_of(item: dict[str, Any]) -> str | None:
    name, module = str(item["class_name"]), item.get("module")
    if name == "Lambda":
        return "Lambda layer"
    if name == "__lambda__":
        return "Python lambda"
    if name == "TFSMLayer":
        return "embedded SavedModel"
    registered = item.get("registered_name") or ""
    if ">" in name or ">" in str(registered):
        return f"custom object {registered or name}"
    if name == "function":
        return f"custom object {item.get('config')}"
    if str(module or "").partition(".")[0] not in ("", "keras"):
        return f"custom object {name}"
    if module is None and registered and name not in _PLAIN:
        return f"custom object {name}"
    return None

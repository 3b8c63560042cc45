"""A Keras file that asks for larger layers than its weights could fill is corrupt.

Keras builds a model before it reads the weights: with one digit more in a layer's size it would first take all the
memory there is.  The sizes searched here are lengths of axes of weights.  An element takes half a byte at the least
(int4), so no such length exceeds twice the bytes of the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.dialect import Config

_SIZES = ("units", "filters", "input_dim", "output_dim")

_TAKING = (
    "Dense",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "BatchNormalization",
    "LayerNormalization",
    "LSTM",
    "GRU",
    "SimpleRNN",
)
"""How the classes end whose weights are as long as the last axis of what they take."""


def refuse_oversized(config: Config, path: Path) -> None:
    """Refuse a configuration with a layer that is larger than its file.

    Raises:
        InvalidModel: There is one; the message names it, and the size.
    """
    most = 2 * _bytes(path)
    for layer, size, length in _lengths(config):
        if length > most:
            raise InvalidModel(
                f"{path} is corrupt: layer {layer!r} has {size} {length}, more than the file has weights"
            )


def _bytes(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _lengths(item: Any) -> Iterator[tuple[str, str, int]]:
    """Every object in a configuration that says how long an axis of its weights is: its name, the size, the length."""
    if isinstance(item, list):
        for child in item:
            yield from _lengths(child)
    if not isinstance(item, dict):
        return
    own, built = item.get("config"), item.get("build_config")
    if "class_name" in item and isinstance(own, dict):
        name = str(own.get("name", item["class_name"]))
        yield from ((name, size, own[size]) for size in _SIZES if isinstance(own.get(size), int))
        shape = built.get("input_shape") if isinstance(built, dict) else None
        if str(item["class_name"]).endswith(_TAKING) and isinstance(shape, list):
            yield from ((name, "an input of", length) for length in shape[-1:] if isinstance(length, int))
    for child in item.values():
        yield from _lengths(child)

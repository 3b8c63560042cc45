"""The weights of an ``.h5`` file, given to the model they belong to by name.

Keras itself goes by order, but the order of a model inside a model depends on which layers were frozen, and two
vectors of a BatchNormalization look alike: a wrong order would go unseen.  Here a layer is found by its name; inside it
a weight by the last two parts of its name, as ``conv1/kernel`` in ``conv1/kernel:0``.  Where these are not the same on
both sides (the cells of recurrent layers are numbered) the order decides, provided that every last part agrees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.keras.dialect import plain_name

if TYPE_CHECKING:
    from onnxpress.kinds import Array

    Named = list[tuple[str, Array]]

_NUMBER = re.compile(r"(_\d+)?(:0)?$")
_ALIASES = {"depthwise_kernel": "kernel"}
_UNNAMED = "variable"
_UNUSED = re.compile(r"renorm_.*|moving_stddev|StateVar|.*seed_generator_state")
"""Weights of Keras 2 that play no part at inference."""


def load_weights(model: Any, group: Any, *, source: str) -> None:
    """Set every weight of `model`.

    Args:
        model: A built Keras model.
        group: The group ``model_weights`` of an ``.h5`` file, open for reading.
        source: What to call the file in messages.

    Raises:
        InvalidModel: Weights of a layer are missing, too many, of another shape, or under other names.
    """
    groups = {plain_name(name): name for name in _names(group, "layer_names")}
    for layer in model.layers:
        stored = _stored(group[groups[layer.name]]) if layer.name in groups else []
        pairs = _pairs(layer, stored)
        if pairs is None:
            raise InvalidModel(
                f"{source} has other weights than layer {layer.name!r} needs: "
                f"{_listed(stored)} instead of {_listed([(weight.path, weight) for weight in layer.weights])}"
            )
        for weight, value in pairs:
            weight.assign(value)
        _finalize(layer)


def _pairs(layer: Any, stored: Named) -> list[tuple[Any, Array]] | None:
    """Every weight of the layer with its value; None when they do not fit."""
    if len(layer.weights) < len(stored):
        stored = [(name, value) for name, value in stored if not _UNUSED.fullmatch(_key(name)[1])]
    by_key = {_key(name): value for name, value in stored}
    keys = [_key(weight.path) for weight in layer.weights]
    if len(by_key) == len(stored) and set(keys) == set(by_key) and len(keys) == len(by_key):
        return _fitting([(weight, by_key[key]) for weight, key in zip(layer.weights, keys, strict=True)])
    return _by_order(layer.trainable_weights + layer.non_trainable_weights, stored) or _by_order(layer.weights, stored)


def _by_order(weights: Sequence[Any], stored: Named) -> list[tuple[Any, Array]] | None:
    names = [(_key(weight.path)[1], _key(name)[1]) for weight, (name, _) in zip(weights, stored, strict=False)]
    if len(weights) != len(stored) or any(own not in (name, _UNNAMED) for own, name in names):
        return None
    return _fitting([(weight, value) for weight, (_, value) in zip(weights, stored, strict=True)])


def _fitting(pairs: list[tuple[Any, Array]]) -> list[tuple[Any, Array]] | None:
    return pairs if all(tuple(weight.shape) == value.shape for weight, value in pairs) else None


def _key(name: str) -> tuple[str, str]:
    *owners, last = name.split("/")
    last = _NUMBER.sub("", last)
    return plain_name(owners[-1]) if owners else "", _ALIASES.get(last, last)


def _stored(group: Any) -> Named:
    return [(name, group[name][()]) for name in _names(group, "weight_names")]


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names, which is spread over ``<attribute>0``, ``<attribute>1`` ... when it is long."""
    keys = [attribute] if attribute in group.attrs else [f"{attribute}{index}" for index in range(len(group.attrs))]
    names = [name for key in keys if key in group.attrs for name in group.attrs[key]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _finalize(layer: Any) -> None:
    """Normalization keeps its statistics a second time, in the shape it computes with."""
    for inner in getattr(layer, "layers", []):
        _finalize(inner)
    if layer.weights and hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _listed(weights: Any) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in weights) or "none"

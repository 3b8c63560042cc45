"""How the layers of a Functional model are connected: the lists of Keras 2 as the calls of Keras 3.

Keras 2 writes a tensor as ``[layer, call, output, keywords]`` and a call as one of them or a list of them; other
tensors and constants may stand among the keywords, a constant in the first place as ``["_CONSTANT_VALUE", -1, value,
keywords]``.  It counts calls of a model inside from 1, as the model itself was call 0; Keras 3 does so for the outputs
of Functional models alone, and writes arguments as they are, each tensor as an object of its own.
"""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras import vocabulary
from onnxpress_frontends.opening.keras.dialect import Config, is_object, plain_name

_CONSTANT = "_CONSTANT_VALUE"
_TENSOR = "__keras_tensor__"


def rewire(item: Any) -> Any:
    """A copy of a translated configuration in which every Functional model is connected the way of Keras 3."""
    if isinstance(item, list):
        return [rewire(child) for child in item]
    if not isinstance(item, dict):
        return item
    rewired = {key: rewire(value) for key, value in item.items()}
    if is_object(item) and item["class_name"] == "Functional" and "layers" in item["config"]:
        rewired["config"] = _Wiring(rewired["config"]).rewired()
    return rewired


class _Wiring:
    """The connections of one model.

    Args:
        config: Arguments of the model, its layers rewired already.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._kinds = {layer["name"]: layer["class_name"] for layer in config["layers"]}
        self._first_call = {layer["name"]: int(_counts_from_one(layer)) for layer in config["layers"]}

    def rewired(self) -> Config:
        """The arguments with every connection rewritten."""
        layers = [
            self._operation(layer) if layer["class_name"] in vocabulary.OPERATIONS else self._layer(layer)
            for layer in self._config["layers"]
        ]
        ends = {key: _only(self._ends(self._config[key])) for key in ("input_layers", "output_layers")}
        return self._config | {"layers": layers} | ends

    def _layer(self, layer: Config) -> Config:
        calls = []
        for node in layer["inbound_nodes"]:
            first, keywords = self._call(node)
            first = _only(first)
            keywords = {key: value for key, value in keywords.items() if value is not None}
            if layer["class_name"] in vocabulary.RECURRENT and isinstance(first, list):
                first, keywords["initial_state"] = first[0], first[1:]
            calls.append({"args": [first], "kwargs": keywords})
        return layer | {"inbound_nodes": calls}

    def _operation(self, layer: Config) -> Config:
        """Keras passes tensors alone; what else the function takes becomes part of the layer, each tensor numbered."""
        if len(layer["inbound_nodes"]) != 1:
            raise UnsupportedModel(f"layer {layer['name']!r} calls its function {len(layer['inbound_nodes'])} times")
        first, keywords = self._call(layer["inbound_nodes"][0])
        keywords.pop("name", None)
        tensors: list[Config] = []
        arguments = _numbered({"first": first, "keywords": keywords}, tensors)
        if not tensors:
            raise UnsupportedModel(f"layer {layer['name']!r} has no tensor for its function: Keras 2 did not write it")
        call = {"args": [tensors], "kwargs": {}}
        return layer | {"config": layer["config"] | {"arguments": arguments}, "inbound_nodes": [call]}

    def _call(self, node: Any) -> tuple[Any, Config]:
        """What a call passes first, and by keyword."""
        keywords: Config = {}
        first = self._inputs(node, keywords)
        return first, {key: self._argument(value) for key, value in keywords.items()}

    def _inputs(self, node: Any, keywords: Config) -> Any:
        """What a call passes first; its keywords, which every tensor repeats, are added to `keywords`."""
        if isinstance(node, dict):
            return {key: self._inputs(value, keywords) for key, value in node.items()}
        if not self._is_tensor(node):
            return [self._inputs(child, keywords) for child in node]
        keywords.update(node[3] if len(node) > 3 else {})
        return self._argument(node)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._argument(child) for key, child in value.items()}
        if not self._is_tensor(value):
            return [self._argument(child) for child in value] if isinstance(value, list) else value
        name, call, output = value[:3]
        if name == _CONSTANT:
            return output
        history = [plain_name(name), call - self._first_call[plain_name(name)], output]
        return {"class_name": _TENSOR, "config": {"shape": [], "dtype": "float32", "keras_history": history}}

    def _is_tensor(self, item: Any) -> bool:
        if not isinstance(item, list) or len(item) not in (3, 4) or not isinstance(item[0], str):
            return False
        return item[0] == _CONSTANT or (plain_name(item[0]) in self._kinds and isinstance(item[1], int))

    def _ends(self, ends: Any) -> Any:
        if isinstance(ends, dict):
            return {key: self._ends(value) for key, value in ends.items()}
        if not self._is_tensor(ends):
            return [self._ends(end) for end in ends]
        name = plain_name(ends[0])
        counted = int(self._kinds[name] == "Functional")
        return [name, ends[1] - self._first_call[name] + counted, ends[2]]


def _only(items: Any) -> Any:
    return items[0] if isinstance(items, list) and len(items) == 1 else items


def _numbered(item: Any, tensors: list[Config]) -> Any:
    """A copy of `item` in which each tensor is ``{"tensor": its place in tensors}``."""
    if isinstance(item, list):
        return [_numbered(child, tensors) for child in item]
    if not isinstance(item, dict):
        return item
    if item.get("class_name") == _TENSOR:
        tensors.append(item)
        return {"tensor": len(tensors) - 1}
    return {key: _numbered(value, tensors) for key, value in item.items()}


def _counts_from_one(layer: Config) -> bool:
    """Whether a layer is a model whose own input and output Keras 2 counts as its call 0."""
    if layer["class_name"] != "Sequential":
        return bool(layer["class_name"] == "Functional")
    layers = layer["config"]["layers"]
    return bool(layers) and layers[0]["class_name"] == "InputLayer"

"""What TensorFlow's operators take and give, so that a graph is written, types and all, without importing TensorFlow.

``op_definitions.jsonl`` holds one operator a line, taken from TensorFlow's own registry; a test compares the two.
``adapter_definitions.jsonl`` holds those that Ascend's adapter for TensorFlow registers (``hicann/tensorflow``,
``tf_adapter/ops/aicore/amct_ops.cc``).
An argument is written ``[name, type]``: ``"T"`` is the type attribute T, ``"N*T"`` N tensors of it, ``"*T"`` tensors of
the types that the list attribute T gives, ``"=3"`` a fixed type.  ``python -m
onnxpress_backends.tensorflow.graphs.op_definitions Relu Conv2D`` prints lines for the file.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

Argument = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class OpDefinition:
    """One operator.

    Attributes:
        inputs: Its inputs in order.
        outputs: Its outputs in order.
        attrs: Type of each attribute, as in ``OpDef``: ``type``, ``int``, ``list(int)``, ``func`` ...
        defaults: The attributes that need not be given.
    """

    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attrs: Mapping[str, str]
    defaults: Mapping[str, Any]


@functools.cache
def _lines(file: str) -> dict[str, str]:
    text = resources.files(__package__).joinpath(file).read_text("utf-8")
    return {line.split('"', 2)[1]: line for line in text.splitlines()}


def names() -> list[str]:
    """TensorFlow's own operators that are known, in order."""
    return list(_lines("op_definitions.jsonl"))


@functools.cache
def definition(op: str) -> OpDefinition:
    """The definition of the operator `op`.

    Raises:
        KeyError: It is in neither file; a rule that uses it must add it.
    """
    lines = _lines("op_definitions.jsonl") | _lines("adapter_definitions.jsonl")
    inputs, outputs, attrs, defaults = json.loads(lines[op])[op]
    return OpDefinition(
        inputs=tuple((name, kind) for name, kind in inputs),
        outputs=tuple((name, kind) for name, kind in outputs),
        attrs=attrs,
        defaults=defaults,
    )


def line(op_def: Any) -> str:
    """The line of the file for an ``OpDef`` of TensorFlow's registry."""
    attrs = {attr.name: attr.type for attr in op_def.attr}
    defaults = {attr.name: _plain(attr.default_value) for attr in op_def.attr if attr.HasField("default_value")}
    arguments = [
        [[argument.name, _kind(argument)] for argument in side] for side in (op_def.input_arg, op_def.output_arg)
    ]
    return json.dumps({op_def.name: [*arguments, attrs, defaults]})


def _kind(argument: Any) -> str:
    if argument.type_list_attr:
        return f"*{argument.type_list_attr}"
    kind = argument.type_attr or f"={argument.type}"
    return f"{argument.number_attr}*{kind}" if argument.number_attr else kind


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        filled = [items for _, items in value.list.ListFields()]
        return [item.decode() if isinstance(item, bytes) else item for item in filled[0]] if filled else []
    if kind == "shape":
        return None if value.shape.unknown_rank else [axis.size for axis in value.shape.dim]
    plain = getattr(value, kind)
    return plain.decode() if isinstance(plain, bytes) else plain


if __name__ == "__main__":
    from tensorflow.python.framework import op_def_registry

    for name in sys.argv[1:]:
        print(line(op_def_registry.get(name)))

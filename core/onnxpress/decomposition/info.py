"""The file that says how the layers of a model were split, for whoever builds the same stacks elsewhere.

    {"format": "onnxpress-decomposition", "version": 1,
     "layers": [
      {"name": "conv1", "operator": "Conv", "weight": "conv1.weight", "weight_shape": [64, 32, 3, 3],
       "strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 1], "auto_pad": "NOTSET", "bias": "conv1.bias",
       "inputs_first": false, "form": "spatial", "ranks": [32], "first_axes": [0], "new_bias": false,
       "parts": [
        {"name": "conv1/decom_first", "weight": "conv1/decom_first/weight", "bias": "", "weight_shape": [32, 32, 3, 1],
         "strides": [2, 1], "pads": [1, 0, 1, 0], "dilations": [1, 1]},
        {"name": "conv1/decom_last", "weight": "conv1/decom_last/weight", "bias": "conv1.bias", "weight_shape":
         [64, 32, 1, 3], "strides": [1, 2], "pads": [0, 1, 0, 1], "dilations": [1, 1]}]}]}

`layer_stacks` explains the fields.  ``parts`` follows from the others, for readers without onnxpress.  Numbers are not
in the file: they are in the model, by the names that the parts give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onnxpress.decomposition import amct_info
from onnxpress.decomposition.json_entries import Entry
from onnxpress.decomposition.layer_stacks import FORMS, OPERATORS, Layer, Part, Stack
from onnxpress.errors import InvalidData
from onnxpress.files import atomic

ENDING = ".decomposition.json"
"""Of the file beside a model; what comes before it is the model's name."""

_FORMAT = "onnxpress-decomposition"
_VERSION = 1

_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
_PART = ("name", "weight", "bias", "weight_shape", "strides", "pads", "dilations")
_FIELDS = {field.name for kind in (Layer, Stack) for field in fields(kind)} - {"layer"} | {"parts"}


def text(stacks: Sequence[Stack]) -> str:
    """How layers are split, in the order given, as the file has it."""
    document = {"format": _FORMAT, "version": _VERSION, "layers": [_written(stack) for stack in stacks]}
    return re.sub(r"\[\n[\d\s,]+\]", _on_one_line, json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


def save(stacks: Sequence[Stack], path: Path) -> None:
    """Write the `text` to a file."""
    with atomic(path) as temporary:
        temporary.write_bytes(text(stacks).encode())


def load(path: Path) -> tuple[Stack, ...]:
    """Read a file of `save`, or one of AMCT's for PyTorch (`amct_info`).

    Raises:
        InvalidData: It cannot be read, is neither of the two, or contradicts itself.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unrepeated)
        stacks = amct_info.stacks(document) if isinstance(document, list) else _stacks(document)
        _refuse_twins(stacks)
    except OSError as error:
        raise InvalidData(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidData(f"{path} is not valid JSON: {error}") from error
    except InvalidData as error:
        raise InvalidData(f"{path}: {error}") from error
    return tuple(stacks)


def _written(stack: Stack) -> dict[str, Any]:
    own = {key: value for key, value in asdict(stack).items() if key != "layer"}
    return {**asdict(stack.layer), **own, "parts": [_written_part(part) for part in stack.parts]}


def _written_part(part: Part) -> dict[str, Any]:
    return {key: getattr(part, key) for key in _PART}


def _on_one_line(numbers: re.Match[str]) -> str:
    return f"[{', '.join(re.findall(r'[0-9]+', numbers[0]))}]"


def _stacks(document: Any) -> list[Stack]:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise InvalidData(f"this is no info file, neither of onnxpress (format {_FORMAT!r}) nor of AMCT (a list)")
    entry = Entry(document, "the file")
    if entry.size("version") != _VERSION:
        raise InvalidData(f"this is version {entry.size('version')} of the info file, and {_VERSION} is known")
    entry.only(("format", "version", "layers"))
    return [_stack(layer) for layer in entry.entries("layers")]


def _stack(entry: Entry) -> Stack:
    name = entry.text("name")
    entry = entry.called(f"layer {name!r}")
    entry.only(_FIELDS)
    layer = Layer(
        name=name,
        operator=entry.word("operator", OPERATORS),
        weight=entry.text("weight"),
        weight_shape=entry.sizes("weight_shape"),
        strides=entry.sizes("strides"),
        pads=entry.sizes_if_known("pads"),
        dilations=entry.sizes("dilations"),
        auto_pad=entry.word("auto_pad", _AUTO_PADS),
        bias=entry.text("bias"),
        inputs_first=entry.flag("inputs_first"),
    )
    stack = Stack(
        layer=layer,
        form=entry.word("form", FORMS),
        ranks=entry.sizes("ranks"),
        first_axes=entry.sizes("first_axes"),
        new_bias=entry.flag("new_bias"),
    )
    _check_parts(entry, stack)
    return stack


def _check_parts(entry: Entry, stack: Stack) -> None:
    """Whoever changes a rank changes the shapes of the parts, too, or is told."""
    found = entry.entries("parts")
    if len(found) != len(stack.parts):
        raise InvalidData(f"{entry.where}: the form {stack.form!r} has {len(stack.parts)} parts, not {len(found)}")
    for own, part in zip(found, stack.parts, strict=True):
        own.only(_PART)
        for key in _PART:
            wanted = getattr(part, key)
            given: Any = own.text(key) if isinstance(wanted, str) else own.sizes_if_known(key)
            if given != wanted:
                shown = [list(value) if isinstance(value, tuple) else value for value in (wanted, given)]
                raise InvalidData(f"{own.where}: {key} must be {shown[0]!r} for the layer's form, not {shown[1]!r}")


def _refuse_twins(stacks: Sequence[Stack]) -> None:
    names = [stack.layer.name for stack in stacks]
    for name in names:
        if names.count(name) > 1:
            raise InvalidData(f"layer {name!r} is split twice")


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise InvalidData(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return table

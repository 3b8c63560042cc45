"""AMCT's record file: the scales of a quantised model as protobuf text, in the dialect of any of its frameworks.

One entry a layer, by the name of its node in the float model; ``"layer:index"`` is input `index` of a node that has no
integers of its own, such as Add.  What is written here holds only fields that all frameworks know; what is read may
hold those of any of them.  A field that says something we cannot do is refused by key and name.  ``channels``,
``height``, ``width`` (Caffe) and ``is_tensor_quantize`` (ONNX) say nothing that the model and the key do not.

What is checked is what AMCT checks (``parse_record_file.py`` of ``hicann/amct``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from onnxpress.ascend.operators import SMALLEST_SCALE
from onnxpress.ascend.record_fields import REFUSED, SCHEMA, WORDS
from onnxpress.ascend.text_messages import parse, render
from onnxpress.errors import InvalidData, OnnxpressError, UnsupportedModel
from onnxpress.files import atomic

_LARGEST_FACTOR = 1 / float(SMALLEST_SCALE)


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """What a record says of one layer, or of one input of a node.

    Attributes:
        scale_d: Step of the activation, a float32 of at least `SMALLEST_SCALE`; None when the layer stays float and
            the entry only says whether to fold.
        offset_d: The int8 that stands for zero, -128 to 127.
        scale_w: Steps of the weight, positive float32: one, or one for each output channel.  Empty: no weight.
        balance: What each input channel is divided by before the layer, and its weights multiplied by, between
            `SMALLEST_SCALE` and its reciprocal; empty: nothing.
        skip_fusion: Leave the BatchNormalization behind the layer alone.
        forces_half: The scales were found for arithmetic in float16.
    """

    scale_d: float | None = None
    offset_d: int = 0
    scale_w: tuple[float, ...] = ()
    balance: tuple[float, ...] = ()
    skip_fusion: bool = False
    forces_half: bool = False


def load(path: Path) -> dict[str, LayerRecord]:
    """Read a record file of any framework.

    A ``skip_fusion`` that is not there is false, as in AMCT for TensorFlow and PyTorch.

    Args:
        path: The file.

    Returns:
        Entries by key, in the order of the file.

    Raises:
        InvalidData: The file cannot be read, is no record, or has a value out of range.
        UnsupportedModel: It asks for what is not done: 4 or 16 bits, pruning, weights with an offset ...
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidData(f"cannot read the record {path}: {getattr(error, 'strerror', None) or error}") from error
    document = parse(text, SCHEMA, source=str(path), landmark="key")
    if "prune_record" in document:
        raise UnsupportedModel(f"{path}: it has a prune_record, and channels are not pruned; remove it from the record")
    records: dict[str, LayerRecord] = {}
    for number, entry in enumerate(document.get("record", []), 1):
        key = entry.get("key")
        if not key:
            raise InvalidData(f"{path}: entry {number} has no key")
        if key in records:
            raise InvalidData(f"{path}: key {key!r} appears twice")
        records[key] = _Entry(path, key, entry).record()
    if not records:
        raise InvalidData(f"{path} holds no record")
    return records


def save(records: Mapping[str, LayerRecord], path: Path) -> None:
    """Write a record file that every framework of AMCT reads.

    Args:
        records: Entries by key, in the order they are written.
        path: Where; replaced in one go.
    """
    entries = [{"key": key, "value": _fields(record)} for key, record in records.items()]
    with atomic(path) as staged:
        staged.write_text(render({"record": entries}, SCHEMA), encoding="ascii")


def _fields(record: LayerRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if record.scale_d is not None:
        fields.update(scale_d=record.scale_d, offset_d=record.offset_d)
        fields.update(scale_w=record.scale_w, offset_w=[0] * len(record.scale_w))
    fields.update(tensor_balance_factor=record.balance, skip_fusion=record.skip_fusion)
    return fields


@dataclass(frozen=True)
class _Entry:
    """An entry as the text has it."""

    path: Path
    key: str
    fields: Mapping[str, Any]

    def record(self) -> LayerRecord:
        if "kv_cache_value" in self.fields:
            self._fail(UnsupportedModel, "kv_cache_value", "is there, and no key-value cache is quantised")
        if "value" not in self.fields:
            self._fail(InvalidData, "value", "is missing")
        value: dict[str, Any] = self.fields["value"]
        for field, why in REFUSED.items():
            if field in value:
                self._fail(UnsupportedModel, field, why)
        for field, words in WORDS.items():
            if value.get(field, words[0]) not in words:
                self._fail(UnsupportedModel, field, f"is {value[field]!r}, and only {words[0]!r} is supported")
        if any(value.get("shift_bit", ())):
            self._fail(UnsupportedModel, "shift_bit", "is not 0, and accumulators are not shifted")
        return LayerRecord(
            scale_d=self._scale_d(value),
            offset_d=self._offset_d(value),
            scale_w=self._scale_w(value),
            balance=self._balance(value),
            skip_fusion=value.get("skip_fusion", False),
            forces_half=value.get("fakequant_precision_mode") == "FORCE_FP16_QUANT",
        )

    def _scale_d(self, value: Mapping[str, Any]) -> float | None:
        quantised = {"offset_d", "scale_w", "offset_w", "tensor_balance_factor"} & value.keys()
        if "scale_d" not in value:
            if quantised:
                self._fail(InvalidData, "scale_d", f"is missing, but {min(quantised)} is there")
            return None
        self._within("scale_d", [value["scale_d"]], float(SMALLEST_SCALE), float(np.finfo(np.float32).max))
        return float(value["scale_d"])

    def _offset_d(self, value: Mapping[str, Any]) -> int:
        if "scale_d" in value and "offset_d" not in value:
            self._fail(InvalidData, "offset_d", "is missing, but scale_d is there")
        offset = int(value.get("offset_d", 0))
        self._within("offset_d", [offset], -128, 127)
        return offset

    def _scale_w(self, value: Mapping[str, Any]) -> tuple[float, ...]:
        scales, offsets = value.get("scale_w", []), value.get("offset_w", [])
        if offsets and len(offsets) != len(scales):
            self._fail(InvalidData, "offset_w", f"has {len(offsets)} values, and scale_w has {len(scales)}")
        if any(offsets):
            self._fail(UnsupportedModel, "offset_w", f"is {next(filter(None, offsets))}, and weights are symmetric: 0")
        smallest, largest = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
        self._within("scale_w", scales, smallest, largest)
        with np.errstate(over="ignore"):
            products = np.float32(value.get("scale_d", 1.0)) * np.asarray(scales, np.float32)
        self._within("scale_d * scale_w", products.tolist(), smallest, largest)
        return tuple(scales)

    def _balance(self, value: Mapping[str, Any]) -> tuple[float, ...]:
        factors = value.get("tensor_balance_factor", [])
        self._within("tensor_balance_factor", factors, float(SMALLEST_SCALE), _LARGEST_FACTOR)
        return tuple(factors)

    def _within(self, field: str, numbers: list[Any], low: float, high: float) -> None:
        for index, number in enumerate(numbers):
            if not low <= number <= high:  # nor is NaN
                place = f"[{index}]" if len(numbers) > 1 else ""
                self._fail(InvalidData, field + place, f"is {number:.9g}, not between {low:.9g} and {high:.9g}")

    def _fail(self, error: type[OnnxpressError], field: str, what: str) -> NoReturn:
        raise error(f"{self.path}: {self.key!r}: {field} {what}")

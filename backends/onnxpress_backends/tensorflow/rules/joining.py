"""Joining and taking apart along an axis."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.broadcasting import aligned
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.values import Laid, Value


def concat(call: Call) -> Laid | Value:
    """All inputs in the layout of the first that is computed."""
    if len(call.values) == 1:
        return call.value(0)
    axis = call.attribute("axis")
    tensors, layout = aligned(call, call.values)
    if layout is not None and layout.split is not None:
        tensors, layout = [value.tensor() for value in call.values], None
    place = axis if layout is None else layout.axis(axis)
    return Laid(call.emit("ConcatV2", tensors, call.const(place, DType.INT32)), layout)


RULES: Mapping[str, Rule] = {
    "Concat": concat,
}

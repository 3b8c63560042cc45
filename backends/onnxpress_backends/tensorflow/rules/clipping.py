"""Clip: ``min(high, max(low, x))``; either end may be missing, and they are attributes before opset 11, inputs since.

Ends that are known and in order are one operator: Relu6 from 0 to 6, Relu from 0, else ClipByValue, which takes the low
end for the result where ONNX takes the high one if they are the wrong way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.layout.values import Laid, Value


def clip(call: Call) -> Laid | Value:
    """``min(high, max(low, x))``; either end may be left out, and is an input since opset 11."""
    x, layout = call.value(0).laid
    low, high = _end(call, "min", 1), _end(call, "max", 2)
    if low == 0 and high == 6 and x.dtype.is_float:
        return Laid(call.emit("Relu6", x), layout)
    known = low is not None and high is not None
    if known and low <= high and x.dtype not in (DType.UINT32, DType.UINT64):
        return Laid(call.emit("ClipByValue", x, call.const(low, x.dtype), call.const(high, x.dtype)), layout)
    if low == 0 and not call.has(2) and high is None:
        return Laid(call.emit("Relu", x), layout)
    clipped = x
    if low is not None or call.has(1):
        clipped = call.emit("Maximum", clipped, call.tensor(1) if call.has(1) else call.const(low, x.dtype))
    if high is not None or call.has(2):
        clipped = call.emit("Minimum", clipped, call.tensor(2) if call.has(2) else call.const(high, x.dtype))
    return call.value(0) if clipped == x else Laid(clipped, layout)


def _end(call: Call, name: str, index: int) -> Any:
    """One end of a Clip; None when it is not given, or computed."""
    known = call.constant(index)
    return call.attribute(name) if known is None else known.reshape(())[()]


RULES: Mapping[str, Rule] = {
    "Clip": clip,
}

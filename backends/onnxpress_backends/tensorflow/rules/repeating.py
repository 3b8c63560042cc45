"""Repetition: Tile copies a tensor along its axes, Expand broadcasts it to a shape."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.rules.widening import widened


def tile(call: Call) -> Laid:
    """Tile, in the layout that the input has."""
    tensor, layout = call.value(0).permuted
    return Laid(widened(call, "Tile", tensor, _arranged(call, layout, 1)), layout)


def _arranged(call: Call, layout: Layout | None, index: int) -> Tensor:
    """Input `index`, numbers by ONNX axis, in the order of memory."""
    known = call.constant(index)
    if known is not None:
        return call.const(known if layout is None else known[list(layout.perm)], DType.INT32)
    if layout is None or layout.is_logical:
        return call.tensor(index)
    return _permuted(call, call.tensor(index), layout)


def _permuted(call: Call, vector: Tensor, layout: Layout) -> Tensor:
    return call.emit("GatherV2", vector, call.const(layout.perm, DType.INT32), call.const(0, DType.INT32))


def expand(call: Call) -> Laid | Tensor | Value:
    """Expand: the shape that is asked for is itself broadcast against that of the input."""
    wanted = call.constant(1)
    have = call.value(0).shape
    if wanted is not None and have is not None and None not in have:
        target = np.broadcast_shapes(call.sizes(0), tuple(int(size) for size in wanted))
        if target == have:
            return call.value(0)
        if len(target) > len(have):
            return call.emit("BroadcastTo", call.tensor(0), call.const(target, DType.INT32))
        tensor, layout = call.value(0).permuted
        dims = [target[axis] for axis in (layout or logical(len(target))).perm]
        return Laid(call.emit("BroadcastTo", tensor, call.const(dims, DType.INT32)), layout)
    shape = _broadcast_shape(call)
    if have is None or call.value(1).shape != (len(have),):
        return call.emit("BroadcastTo", call.tensor(0), shape)
    tensor, layout = call.value(0).permuted
    if layout is not None and not layout.is_logical:
        shape = _permuted(call, shape, layout)
    return Laid(call.emit("BroadcastTo", tensor, shape), layout)


def _broadcast_shape(call: Call) -> Tensor:
    """The shapes of the input and asked for, broadcast; by plain operators where both ranks are known."""
    have, wanted, lengths = _runtime_shape(call), call.tensor(1), call.value(1).shape
    if call.value(0).shape is None or lengths is None or lengths[0] is None:
        return call.emit("BroadcastArgs", have, wanted)
    missing = lengths[0] - call.rank(0)
    ones = call.const([1] * abs(missing), DType.INT64)
    if missing > 0:
        have = call.emit("ConcatV2", [ones, have], call.const(0, DType.INT32))
    elif missing < 0:
        wanted = call.emit("ConcatV2", [ones, wanted], call.const(0, DType.INT32))
    return call.emit("SelectV2", call.emit("Equal", have, call.const(1, DType.INT64)), wanted, have)


def _runtime_shape(call: Call) -> Tensor:
    if call.value(0).shape is None:
        return call.emit("Shape", call.tensor(0), out_type=DType.INT64)
    return call.runtime_shape(0)


RULES: Mapping[str, Rule] = {
    "Expand": expand,
    "Tile": tile,
}

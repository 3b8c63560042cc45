"""Where the largest or smallest element along an axis is: ArgMax and ArgMin."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import place, without
from onnxpress_backends.tensorflow.layout.values import Laid


def extreme(op: str) -> Rule:
    """The first place of an extreme, or the last: then the axis is looked at from its end."""

    def rule(call: Call) -> Laid:
        tensor, layout = call.value(0).permuted
        axis = place(layout, call.attribute("axis", 0))
        along = call.const(axis, DType.INT32)
        if call.attribute("select_last_index", 0):
            found = call.emit(op, call.emit("ReverseV2", tensor, call.const([axis], DType.INT32)), along)
            found = call.emit("Sub", _last(call, tensor, axis % call.rank(0)), found)
        else:
            found = call.emit(op, tensor, along)
        if call.attribute("keepdims", 1):
            return Laid(call.emit("ExpandDims", found, along), layout)
        return Laid(found, None if layout is None else without(layout, [layout.perm[axis]]))

    return rule


def _last(call: Call, tensor: Tensor, axis: int) -> Tensor:
    """The index of the last element along an axis."""
    shape, along = call.emit("Shape", tensor, out_type=DType.INT64), call.const(axis, DType.INT32)
    return call.emit("Sub", call.emit("GatherV2", shape, along, call.const(0, DType.INT32)), call.const(1, DType.INT64))


RULES: Mapping[str, Rule] = {
    "ArgMax": extreme("ArgMax"),
    "ArgMin": extreme("ArgMin"),
}

"""Where the largest or smallest element along an axis is: ArgMax and ArgMin."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.rules.reduction import without
from onnxpress_backends.tensorflow.values import Laid


def extreme(op: str) -> Rule:
    """The first place of an extreme, or the last: then the axis is looked at from its end."""

    def rule(call: Call) -> Laid:
        tensor, layout = call.value(0).permuted
        _ = call.rank(0)
        assert layout is not None
        axis = call.attribute("axis", 0) % max(layout.rank, 1)
        place = call.const(layout.axis(axis), DType.INT32)
        if call.attribute("select_last_index", 0):
            found = call.emit(op, _reversed(call, tensor, layout.axis(axis)), place)
            found = call.emit("Sub", _last(call, tensor, axis, place), found)
        else:
            found = call.emit(op, tensor, place)
        if call.attribute("keepdims", 1):
            return Laid(call.emit("ExpandDims", found, place), layout)
        return Laid(found, without(layout, [axis]))

    return rule


def _reversed(call: Call, tensor: Tensor, place: int) -> Tensor:
    return call.emit("ReverseV2", tensor, call.const([place], DType.INT32))


def _last(call: Call, tensor: Tensor, axis: int, place: Tensor) -> Tensor:
    """The index of the last element along the axis."""
    size = call.shape(0)[axis]
    if size is not None:
        return call.const(size - 1, DType.INT64)
    shape = call.emit("Shape", tensor, out_type=DType.INT64)
    count = call.emit("GatherV2", shape, place, call.const(0, DType.INT32))
    return call.emit("Sub", count, call.const(1, DType.INT64))


RULES: Mapping[str, Rule] = {
    "ArgMax": extreme("ArgMax"),
    "ArgMin": extreme("ArgMin"),
}

"""Softmax, its logarithm and Hardmax.

Since opset 13 they run along one axis; before, over all axes from one on together.  TensorFlow's operators run along
the last axis in memory; along others the definition is written out, which moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical, place
from onnxpress_backends.tensorflow.layout.values import Laid


def _axes(call: Call) -> list[int]:
    """The axes of ONNX that the operator runs over, those of size 1 left out where others stay."""
    if call.opset >= 13:
        return [call.attribute("axis", -1)]
    shape = call.shape(0)
    axes = list(range(call.attribute("axis", 1) % max(len(shape), 1), len(shape)))
    return [axis for axis in axes if shape[axis] != 1] or axes[-1:]


def _places(call: Call, layout: Layout | None) -> list[int]:
    """Where these axes are in memory."""
    return sorted(place(layout, axis) for axis in _axes(call))


def _is_last(places: list[int], layout: Layout | None) -> bool:
    return places == [-1 if layout is None else layout.rank - 1]


def softmax(call: Call) -> Laid:
    """``exp(x) / sum(exp(x))``."""
    tensor, layout = call.value(0).permuted
    places = _places(call, layout)
    if _is_last(places, layout):
        return Laid(call.emit("Softmax", tensor), layout)
    axes = call.const(places, DType.INT32)
    grown = call.emit("Exp", _below_largest(call, tensor, axes))
    return Laid(call.emit("RealDiv", grown, call.emit("Sum", grown, axes, keep_dims=True)), layout)


def log_softmax(call: Call) -> Laid:
    """``x - log(sum(exp(x)))``."""
    tensor, layout = call.value(0).permuted
    places = _places(call, layout)
    if _is_last(places, layout):
        return Laid(call.emit("LogSoftmax", tensor), layout)
    axes = call.const(places, DType.INT32)
    low = _below_largest(call, tensor, axes)
    total = call.emit("Sum", call.emit("Exp", low), axes, keep_dims=True)
    return Laid(call.emit("Sub", low, call.emit("Log", total)), layout)


def _below_largest(call: Call, tensor: Tensor, axes: Tensor) -> Tensor:
    return call.emit("Sub", tensor, call.emit("Max", tensor, axes, keep_dims=True))


def hardmax(call: Call) -> Laid:
    """One for the first of the largest elements, zero for the others."""
    axes = _axes(call)
    if len(axes) > 1:
        return _flat_hardmax(call, axes[0])
    tensor, layout = call.value(0).permuted
    return Laid(_one_hot(call, tensor, place(layout, axes[0])), layout)


def _flat_hardmax(call: Call, axis: int) -> Laid:
    """Over all axes from `axis` on together."""
    shape = call.runtime_shape(0)
    outer = call.emit("Slice", shape, call.const([0], DType.INT32), call.const([axis], DType.INT32))
    rows = call.emit("ConcatV2", [outer, call.const([-1], DType.INT64)], call.const(0, DType.INT32))
    flat = call.emit("Reshape", call.tensor(0), rows)
    return Laid(call.emit("Reshape", _one_hot(call, flat, axis), shape), logical(call.rank(0)))


def _one_hot(call: Call, tensor: Tensor, axis: int) -> Tensor:
    axis %= call.rank(0)
    along = call.const(axis, DType.INT32)
    best = call.emit("ArgMax", tensor, along)
    count = call.emit("GatherV2", call.emit("Shape", tensor), along, call.const(0, DType.INT32))
    on, off = call.const(1, tensor.dtype), call.const(0, tensor.dtype)
    return call.emit("OneHot", best, count, on, off, axis=axis)


RULES: Mapping[str, Rule] = {
    "Hardmax": hardmax,
    "LogSoftmax": log_softmax,
    "Softmax": softmax,
}

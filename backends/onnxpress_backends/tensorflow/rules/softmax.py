"""Softmax, its logarithm and Hardmax.

Since opset 13 they run along one axis; before, over all axes from one on together.  TensorFlow's operators run along
the last axis in memory; along others the definition is written out, which moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.layouts import logical
from onnxpress_backends.tensorflow.values import Laid


def _axes(call: Call) -> list[int]:
    """The axes of ONNX that the operator runs over, those of size 1 left out where others stay."""
    shape = call.shape(0)
    if call.opset >= 13:
        return [call.attribute("axis", -1) % max(len(shape), 1)]
    axes = list(range(call.attribute("axis", 1) % max(len(shape), 1), len(shape)))
    return [axis for axis in axes if shape[axis] != 1] or axes[-1:]


def softmax(call: Call) -> Laid:
    """``exp(x) / sum(exp(x))``."""
    tensor, layout = call.value(0).permuted
    assert layout is not None
    places = sorted(layout.axis(axis) for axis in _axes(call))
    if places == [layout.rank - 1]:
        return Laid(call.emit("Softmax", tensor), layout)
    axes = call.const(places, DType.INT32)
    grown = call.emit("Exp", _below_largest(call, tensor, axes))
    return Laid(call.emit("RealDiv", grown, call.emit("Sum", grown, axes, keep_dims=True)), layout)


def log_softmax(call: Call) -> Laid:
    """``x - log(sum(exp(x)))``."""
    tensor, layout = call.value(0).permuted
    assert layout is not None
    places = sorted(layout.axis(axis) for axis in _axes(call))
    if places == [layout.rank - 1]:
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
    assert layout is not None
    return Laid(_one_hot(call, tensor, layout.axis(axes[0]), call.shape(0)[axes[0]]), layout)


def _flat_hardmax(call: Call, axis: int) -> Laid:
    """Over all axes from `axis` on together."""
    tensor, shape = call.tensor(0), call.runtime_shape(0)
    outer = call.emit("Slice", shape, call.const([0], DType.INT32), call.const([axis], DType.INT32))
    flat = call.emit("Reshape", tensor, call.emit("ConcatV2", [outer, call.const([-1], DType.INT64)], _zero(call)))
    return Laid(call.emit("Reshape", _one_hot(call, flat, axis, None), shape), logical(call.rank(0)))


def _one_hot(call: Call, tensor: Tensor, place: int, size: int | None) -> Tensor:
    best = call.emit("ArgMax", tensor, call.const(place, DType.INT32))
    if size is None:
        index = call.const(place, DType.INT32)
        depth = call.emit("GatherV2", call.emit("Shape", tensor), index, _zero(call))
    else:
        depth = call.const(size, DType.INT32)
    on, off = call.const(1, tensor.dtype), call.const(0, tensor.dtype)
    return call.emit("OneHot", best, depth, on, off, axis=place)


def _zero(call: Call) -> Tensor:
    return call.const(0, DType.INT32)


RULES: Mapping[str, Rule] = {
    "Hardmax": hardmax,
    "LogSoftmax": log_softmax,
    "Softmax": softmax,
}

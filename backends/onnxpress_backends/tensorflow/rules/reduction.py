"""Reductions over axes, in any layout.

The axes are an attribute, a constant or computed.  No axes are all axes, or with ``noop_with_empty_axes`` none; over
none, TensorFlow reduces nothing, and what comes before and after (squares, logarithms) still happens, as in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import logical, place, without
from onnxpress_backends.tensorflow.layout.values import Laid, Value

Formula = Callable[[Call, Tensor, Tensor, bool], Tensor]
"""Of the node, the tensor, the axes in memory and whether they stay."""


def reduction(formula: Formula) -> Rule:
    """The rule of a reduction."""

    def rule(call: Call) -> Laid:
        keep = bool(call.attribute("keepdims", 1))
        if "axes" not in call.node.attributes and call.has(1) and call.constant(1) is None:
            return Laid(formula(call, call.tensor(0), _computed_axes(call), keep), None)
        axes = call.integers("axes", 1) or []
        shape = call.value(0).shape
        if not axes and not call.attribute("noop_with_empty_axes", 0):
            if shape is None:
                return Laid(formula(call, call.tensor(0), _every_axis(call, call.tensor(0)), keep), None)
            axes = list(range(len(shape)))
        gone = axes if shape is None else [axis % len(shape) for axis in axes]
        tensor, layout = unordered(call.value(0), gone)
        places = sorted(place(layout, axis) for axis in gone)
        result = formula(call, tensor, call.const(places, DType.INT32), keep)
        return Laid(result, layout if keep or layout is None else without(layout, gone))

    return rule


def unordered(value: Value, axes: Collection[int]) -> Laid:
    """The value as it lies, for what does not depend on the order of elements along `axes`."""
    tensor, layout = value.laid
    if layout is not None and layout.split is not None and layout.split.axis in axes:
        return Laid(tensor, logical(layout.rank))
    return value.permuted


def _every_axis(call: Call, tensor: Tensor) -> Tensor:
    start, step = call.const(0, DType.INT32), call.const(1, DType.INT32)
    return call.emit("Range", start, call.emit("Rank", tensor), step)


def _computed_axes(call: Call) -> Tensor:
    """Axes known when the model runs; where that may be none at all, they are chosen by a mask."""
    axes = call.tensor(1)
    known = call.shape(1)[0]
    if known or call.attribute("noop_with_empty_axes", 0):
        return axes
    everything = _every_axis(call, call.tensor(0))
    if known == 0:
        return everything
    count = call.emit("Rank", call.tensor(0))
    places = call.emit("FloorMod", call.cast(axes, DType.INT32), count)
    named = call.emit("Equal", call.emit("ExpandDims", places, call.const(1, DType.INT32)), everything)
    chosen = call.emit("Any", named, call.const(0, DType.INT32))
    none = call.emit("Equal", call.emit("Size", axes), call.const(0, DType.INT32))
    mask = call.emit("LogicalOr", chosen, none)
    return call.emit("Squeeze", call.emit("Where", mask), squeeze_dims=[1])


def plain(op: str, of_truths: str | None = None) -> Formula:
    """The operator `op` of TensorFlow, or `of_truths` where the elements are true or false."""

    def formula(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
        name = of_truths if of_truths is not None and x.dtype == DType.BOOL else op
        return call.emit(name, x, axes, keep_dims=keep)

    return formula


def total_of(op: str) -> Formula:
    """The sum of what `op` makes of each element."""

    def formula(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
        return call.emit("Sum", call.emit(op, x), axes, keep_dims=keep)

    return formula


def magnitudes(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
    """The sum of the magnitudes; unsigned elements are their own."""
    return call.emit("Sum", x if x.dtype in (DType.UINT32, DType.UINT64) else call.emit("Abs", x), axes, keep_dims=keep)


def length(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
    """The square root of the sum of squares; of integers, cut off."""
    total = call.emit("Sum", call.emit("Square", x), axes, keep_dims=keep)
    return _of_integers_too(call, "Sqrt", total)


def log_sum(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
    """The logarithm of the sum."""
    return _of_integers_too(call, "Log", call.emit("Sum", x, axes, keep_dims=keep))


def log_sum_exp(call: Call, x: Tensor, axes: Tensor, keep: bool) -> Tensor:
    """The logarithm of the sum of exponentials, which the largest element, if finite, is taken out of."""
    given = x.dtype
    x = x if given.is_float else call.cast(x, DType.DOUBLE)
    zero = call.const(0, x.dtype)
    largest = call.emit("Max", x, axes, keep_dims=True)
    largest = call.emit("SelectV2", call.emit("IsFinite", largest), largest, zero)
    total = call.emit("Sum", call.emit("Exp", call.emit("Sub", x, largest)), axes, keep_dims=keep)
    if not keep:
        largest = call.emit("Reshape", largest, call.emit("Shape", total))
    return call.cast(call.emit("AddV2", call.emit("Log", total), largest), given)


def _of_integers_too(call: Call, op: str, x: Tensor) -> Tensor:
    if x.dtype.is_float:
        return call.emit(op, x)
    return call.cast(call.emit(op, call.cast(x, DType.DOUBLE)), x.dtype)


RULES: Mapping[str, Rule] = {
    "ReduceL1": reduction(magnitudes),
    "ReduceL2": reduction(length),
    "ReduceLogSum": reduction(log_sum),
    "ReduceLogSumExp": reduction(log_sum_exp),
    "ReduceMax": reduction(plain("Max", of_truths="Any")),
    "ReduceMean": reduction(plain("Mean")),
    "ReduceMin": reduction(plain("Min", of_truths="All")),
    "ReduceProd": reduction(plain("Prod")),
    "ReduceSum": reduction(plain("Sum")),
    "ReduceSumSquare": reduction(total_of("Square")),
}

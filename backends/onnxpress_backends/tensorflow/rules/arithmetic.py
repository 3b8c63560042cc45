"""Arithmetic whose meaning TensorFlow spreads over several operators: by element type, by sign, by count of operands.

Integers are divided toward zero, as in C; a remainder has the sign of the divisor, or with ``fmod`` that of the
dividend; a power has the type of its base.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.layouts import Layout
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.rules.widening import widened

_BIASED = ("Conv2D", "DepthwiseConv2dNative", "Conv3D", "Conv2DBackpropInput", "MatMul")
"""Operators behind which TensorFlow's users, and its fusions, have a BiasAdd."""

_UNSIGNED = (DType.UINT8, DType.UINT16, DType.UINT32, DType.UINT64)


def add(call: Call) -> Laid:
    """A sum; a constant of one number per channel behind a convolution or a product of matrices is its bias."""
    (left, right), layout = aligned(call, call.values)
    for index, (tensor, addend) in enumerate([(left, right), (right, left)]):
        if tensor.node.op in _BIASED and _is_bias(addend, call.value(index), layout):
            return Laid(call.emit("BiasAdd", tensor, addend), layout)
    return Laid(call.emit("AddV2", left, right), layout)


def _is_bias(addend: Tensor, value: Value, layout: Layout | None) -> bool:
    """Whether `addend` is a constant vector along the last axis of `value` in memory."""
    weight = addend.node.weight
    if weight is None or layout is None or layout.split is not None or value.shape is None:
        return False
    return value.rank == layout.rank and weight.arrangement.shape == (value.shape[layout.perm[-1]],)


def magnitude(call: Call) -> Laid | Value:
    """The element without its sign."""
    tensor, layout = call.value(0).laid
    return call.value(0) if tensor.dtype in _UNSIGNED else Laid(call.emit("Abs", tensor), layout)


def sign(call: Call) -> Laid:
    """Minus one, zero or one."""
    tensor, layout = call.value(0).laid
    if tensor.dtype in _UNSIGNED:
        return Laid(call.emit("Minimum", tensor, call.const(1, tensor.dtype)), layout)
    return Laid(call.emit("Sign", tensor), layout)


def divide(call: Call) -> Laid:
    """A quotient; of integers, toward zero."""
    (left, right), layout = aligned(call, call.values)
    return Laid(call.emit("RealDiv" if left.dtype.is_float else "TruncateDiv", left, right), layout)


def modulo(call: Call) -> Laid:
    """A remainder; for unsigned integers the two kinds are one."""
    (left, right), layout = aligned(call, call.values)
    truncates = call.attribute("fmod", 0) and left.dtype not in _UNSIGNED
    return Laid(widened(call, "TruncateMod" if truncates else "FloorMod", left, right), layout)


def power(call: Call) -> Laid:
    """A power, of the type of its base.

    TensorFlow raises integers to integers exactly, but not to negative ones, which double precision does.
    """
    (base, exponent), layout = aligned(call, call.values)
    if exponent.dtype.is_float or base.dtype.is_float:
        kind = _wider(base.dtype, exponent.dtype) if base.dtype.is_float else DType.DOUBLE
        result = call.emit("Pow", call.cast(base, kind), call.cast(exponent, kind))
        return Laid(call.cast(result, base.dtype), layout)
    known = call.constant(1)
    if known is not None and (known >= 0).all():
        return Laid(call.emit("Pow", base, call.cast(exponent, base.dtype)), layout)
    exponent = call.cast(exponent, base.dtype)
    zero = call.const(0, base.dtype)
    exact = call.emit("Pow", base, call.emit("Maximum", exponent, zero))
    rough = call.emit("Pow", call.cast(base, DType.DOUBLE), call.cast(exponent, DType.DOUBLE))
    negative = call.emit("Less", exponent, zero)
    return Laid(call.emit("SelectV2", negative, call.cast(rough, base.dtype), exact), layout)


def _wider(base: DType, exponent: DType) -> DType:
    wide = exponent.is_float and exponent.numpy.itemsize > base.numpy.itemsize
    return exponent if wide else base


def folded(op: str) -> Rule:
    """Any number of operands, taken one after another."""

    def rule(call: Call) -> Laid | Value:
        if len(call.values) == 1:
            return call.value(0)
        operands, layout = aligned(call, call.values)
        return Laid(reduce(lambda left, right: call.emit(op, left, right), operands), layout)

    return rule


def mean(call: Call) -> Laid | Value:
    """The sum of the operands over their number."""
    if len(call.values) == 1:
        return call.value(0)
    operands, layout = aligned(call, call.values)
    total = reduce(lambda left, right: call.emit("AddV2", left, right), operands)
    return Laid(call.emit("RealDiv", total, call.const(len(operands), total.dtype)), layout)


def shift(call: Call) -> Laid:
    """Bits moved; since opset 28 also by more than there are, or fewer than none: then only the sign is left."""
    (bits, places), layout = aligned(call, call.values)
    left, width = call.attribute("direction") == "LEFT", bits.dtype.numpy.itemsize * 8
    op = "LeftShift" if left else "RightShift"
    known = call.constant(1)
    if call.opset < 28 or (known is not None and ((known >= 0) & (known < width)).all()):
        return Laid(call.emit(op, bits, places), layout)
    zero, top = call.const(0, bits.dtype), call.const(width - 1, bits.dtype)
    inside = call.emit("LogicalAnd", call.emit("GreaterEqual", places, zero), call.emit("LessEqual", places, top))
    if left or bits.dtype in _UNSIGNED:
        moved = call.emit(op, bits, call.emit("SelectV2", inside, places, zero))
        return Laid(call.emit("SelectV2", inside, moved, zero), layout)
    return Laid(call.emit(op, bits, call.emit("SelectV2", inside, places, top)), layout)


def is_infinite(call: Call) -> Laid:
    """Whether an element is infinite, of the signs that are asked for."""
    tensor, layout = call.value(0).laid
    positive, negative = call.attribute("detect_positive", 1), call.attribute("detect_negative", 1)
    if positive and negative:
        return Laid(call.emit("IsInf", tensor), layout)
    if not positive and not negative:
        return Laid(call.emit("LogicalAnd", call.emit("IsInf", tensor), call.const(False, DType.BOOL)), layout)
    return Laid(call.emit("Equal", tensor, call.const(float("inf" if positive else "-inf"), tensor.dtype)), layout)


RULES: Mapping[str, Rule] = {
    "Abs": magnitude,
    "Add": add,
    "BitShift": shift,
    "Div": divide,
    "IsInf": is_infinite,
    "Max": folded("Maximum"),
    "Mean": mean,
    "Min": folded("Minimum"),
    "Mod": modulo,
    "Pow": power,
    "Sign": sign,
    "Sum": folded("AddV2"),
}

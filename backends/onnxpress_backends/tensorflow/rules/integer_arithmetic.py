"""Convolutions and matrix products of integers, exact, and the operators that quantise around them.

TensorFlow's own rules do the products, of zero points subtracted: matrices in int32, convolutions in the smallest
floating-point type that holds every partial sum.  QLinear operators then scale as onnxruntime does, in float32:

    y = saturate(round_half_even(sum * (x_scale * w_scale / y_scale)) + y_zero_point)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Constant, Quantization
from onnxpress_backends.tensorflow.layout.layouts import logical
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.quantization.quantized_constants import on_paper
from onnxpress_backends.tensorflow.quantization.stored_integers import Integers
from onnxpress_backends.tensorflow.rules.quantization import clipped, divided


def conv_integer(call: Call) -> Laid:
    """Int32 sums of what ``x - x_zero_point`` and ``w - w_zero_point`` give."""
    return _convolved(call, (0, 2), (1, 3))


def mat_mul_integer(call: Call) -> Laid:
    """The same for matrices; zero points may be one per row of A, one per column of B."""
    return _multiplied(call, (0, 2), (1, 3))


def q_linear_conv(call: Call) -> Laid:
    """The sums, the bias added as int32, scaled and rounded."""
    sums = _convolved(call, (0, 2), (3, 5))
    tensor, layout = sums
    assert layout is not None
    behind = layout.rank - layout.axis(1) - 1
    if call.has(8):
        tensor = call.emit("AddV2", tensor, _spread(call, call.tensor(8), behind))
    return Laid(_requantised(call, tensor, (1, 4, 6), 7, behind), layout)


def q_linear_mat_mul(call: Call) -> Laid:
    """The sums, scaled and rounded."""
    tensor, layout = _multiplied(call, (0, 2), (3, 5))
    return Laid(_requantised(call, tensor, (1, 4, 6), 7, 0), layout)


def _convolved(call: Call, image: tuple[int, int], kernel: tuple[int, int]) -> Laid:
    size = prod(call.sizes(kernel[0])[1:])
    dtype = DType.FLOAT if size * 255 * 255 < 2**24 else DType.DOUBLE
    left, right = _shifted(call, *image, 1, dtype), _shifted(call, *kernel, 0, dtype)
    tensor, layout = _by_rule(call, "Conv", left, right)
    return Laid(call.cast(tensor, DType.INT32), layout)


def _multiplied(call: Call, left: tuple[int, int], right: tuple[int, int]) -> Laid:
    rows = _shifted(call, *left, max(call.rank(left[0]) - 2, 0), DType.INT32)
    return _by_rule(call, "MatMul", rows, _shifted(call, *right, max(call.rank(right[0]) - 1, 0), DType.INT32))


def _shifted(call: Call, index: int, zero: int, axis: int, dtype: DType) -> Value:
    """Input `index` less its zero point, which is one number or one for each index of `axis`, as `dtype`."""
    value = call.value(index)
    origin = call.constant(zero) if call.has(zero) else np.zeros((), value.dtype.numpy)
    shape = value.shape
    if origin is not None and value.constant is not None and origin.ndim <= 1:
        return _stored(value.constant, value, origin, axis, dtype)
    tensor, layout = value.permuted
    tensor = call.cast(tensor, dtype)
    if origin is None or origin.any():
        number = call.cast(call.tensor(zero), dtype)
        if call.rank(zero) == 1 and call.shape(zero) != (1,):
            assert layout is not None
            number = _spread(call, number, layout.rank - layout.axis(axis) - 1)
        tensor = call.emit("Sub", tensor, number)
    became = Value(graph=call.graph, name=value.name, dtype=dtype, shape=shape)
    became.forms[layout] = tensor
    return became


def _stored(constant: Constant, value: Value, origin: Any, axis: int, dtype: DType) -> Value:
    """A constant that stays a byte an element in the file."""
    single = origin.size == 1
    grid = Quantization(
        stored=constant,
        scale=np.ones((), np.float32),
        zero_point=origin.reshape(()) if single else origin,
        axis=None if single else axis,
    )
    became = Value(graph=value.graph, name=value.name, dtype=dtype, shape=value.shape)

    def shifted() -> Any:
        offset = origin if single else origin.reshape([-1, *[1] * (len(constant.shape) - axis - 1)])
        return (constant.array().astype(np.int32) - offset).astype(dtype.numpy).reshape(constant.shape)

    became.constant = on_paper(value.name, constant.shape, dtype, shifted)
    became.simulate = Integers(quantization=grid, dtype=dtype)
    return became


def _by_rule(call: Call, op: str, left: Value, right: Value) -> Laid:
    """What the rule of the floating-point operator makes of two operands, the attributes being the same."""
    inputs = [
        ir.Value(name=value.name, shape=None if value.shape is None else ir.Shape(value.shape))
        for value in (left, right)
    ]
    outputs = [ir.Value(name=call.title, shape=call.node.outputs[0].shape)]
    node = ir.Node("", op, inputs, call.node.attributes.values(), name=call.node.name, outputs=outputs)
    call.scope.values.update(zip(inputs, (left, right), strict=True))
    result = call.scope.settings.rules[op](Call(node, call.scope, call.made))
    if isinstance(result, Laid):
        return result
    assert isinstance(result, Tensor)
    shape = call.output_shape()
    return Laid(result, None if shape is None else logical(len(shape)))


def _spread(call: Call, tensor: Tensor, behind: int) -> Tensor:
    """A vector with axes of size 1 behind."""
    return call.emit("Reshape", tensor, call.const([-1, *[1] * behind], DType.INT32)) if behind else tensor


def _requantised(call: Call, sums: Tensor, scales: tuple[int, int, int], zero: int, behind: int) -> Tensor:
    x, w, y = (call.cast(call.tensor(index), DType.FLOAT) for index in scales)
    multiplier = divided(call, call.emit("Mul", x, w), y)
    if call.shape(scales[1]) not in ((), (1,)):
        multiplier = _spread(call, multiplier, behind)
    rounded = call.emit("Round", call.emit("Mul", call.cast(sums, DType.FLOAT), multiplier))
    rounded = call.emit("AddV2", rounded, call.cast(call.tensor(zero), DType.FLOAT))
    dtype = call.dtype(zero)
    return call.cast(clipped(call, rounded, dtype), dtype)


def dynamic_quantize_linear(call: Call) -> list[Laid | Tensor]:
    """Scale and zero point from the least and the largest number, then QuantizeLinear to uint8."""
    tensor, layout = call.value(0).laid
    zero = call.const(0, DType.FLOAT)
    lowest, highest = (
        call.emit(bound, call.emit(reduction, flat, call.const([0], DType.INT32)), zero)
        for flat in [call.emit("Reshape", tensor, call.const([-1], DType.INT32))]
        for reduction, bound in (("Min", "Minimum"), ("Max", "Maximum"))
    )
    scale = divided(call, call.emit("Sub", highest, lowest), call.const(255, DType.FLOAT))
    scale = call.emit("SelectV2", call.emit("Equal", scale, zero), call.const(1, DType.FLOAT), scale)
    origin = call.emit("Round", clipped(call, divided(call, call.emit("Neg", lowest), scale), DType.UINT8))
    rounded = call.emit("AddV2", call.emit("Round", divided(call, tensor, scale)), origin)
    integers = call.cast(clipped(call, rounded, DType.UINT8), DType.UINT8)
    return [Laid(integers, layout), scale, call.cast(origin, DType.UINT8)]


RULES: Mapping[str, Rule] = {
    "ConvInteger": conv_integer,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "MatMulInteger": mat_mul_integer,
    "QLinearConv": q_linear_conv,
    "QLinearMatMul": q_linear_mat_mul,
}

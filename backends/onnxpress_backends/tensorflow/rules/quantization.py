"""QuantizeLinear and DequantizeLinear: arithmetic that is onnxruntime's, or what simulates it.

A QuantizeLinear writes nothing until somebody needs its integers.  A DequantizeLinear of the same grid behind it, or
of stored integers, is what the mode says (`simulation.Mode`); all else is arithmetic in float32, as onnxruntime's:

    q = saturate(round_half_even(x / scale) + zero_point)          x' = (q - zero_point) * scale
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress import quantize
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.constants import Constant, Grid, Quantization
from onnxpress_backends.tensorflow.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.fake_quantization import fake_quant, fake_range
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.layouts import Layout, last
from onnxpress_backends.tensorflow.simulation import Quantized
from onnxpress_backends.tensorflow.stored_integers import FakeQuantised, Integers
from onnxpress_backends.tensorflow.values import Laid, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_X, _SCALE, _ZERO = 0, 1, 2
"""The inputs of both."""


def quantize_linear(call: Call) -> Value | Laid:
    """Integers, if anybody wants them."""
    dtype = _given_type(call) or (call.dtype(_ZERO) if call.has(_ZERO) else DType.UINT8)
    source, grid = call.value(_X), _grid(call, dtype)
    if grid is None or source.dtype != DType.FLOAT:
        return _quantised(call, dtype)
    became = Value(graph=call.graph, name=call.title, dtype=dtype, shape=source.shape)
    became.compute = partial(_quantised, call, dtype)
    became.quantized = Quantized(source=source, **vars(grid))
    if source.constant is not None:
        became.constant = on_paper(call.title, source.constant.shape, dtype, partial(_integers, source.constant, grid))
    return became


def dequantize_linear(call: Call) -> Value | Laid:
    """Numbers: simulated where the integers are stored, or made by a QuantizeLinear of the same grid."""
    integers = call.value(_X)
    dtype = _given_type(call) or call.dtype(_SCALE)
    grid = _grid(call, integers.dtype) if dtype == DType.FLOAT else None
    made = integers.quantized
    mode = call.scope.settings.mode
    if made is not None and grid is not None and made.is_grid(grid):
        if mode in ("float", "quantize-weights"):
            return made.source
        if integers.constant is None:
            return (_fake_quantised(call, made) if mode == "fake-quant" else None) or _rounded(call, made)
    if integers.constant is None:
        return _dequantised(call, dtype)
    if grid is not None:
        return _stored(call, integers, grid)
    numbers = _numbers(call, integers.constant, dtype)
    return numbers or _dequantised(call, dtype)


# Parameters


def _given_type(call: Call) -> DType | None:
    given = call.attribute("output_dtype", 0)
    return of_onnx(ir.DataType(given), f"the output of {call.node.name!r}") if given else None


def _grid(call: Call, dtype: DType) -> Grid | None:
    """The grid of a node; None where it is computed, in blocks, or not in float32."""
    scale = call.constant(_SCALE)
    if scale is None or scale.dtype != np.float32 or _block(call):
        return None
    zero_point = call.constant(_ZERO) if call.has(_ZERO) else np.zeros(scale.shape, dtype.numpy)
    if zero_point is None:
        return None
    names = {"scale_name": _name(call, _SCALE), "zero_point_name": _name(call, _ZERO)}
    if scale.size == 1:
        return Grid(scale=scale.reshape(()), zero_point=zero_point.reshape(()), axis=None, **names)
    return Grid(scale=scale, zero_point=zero_point, axis=_axis(call), **names)


def _name(call: Call, index: int) -> str | None:
    constant = call.value(index).constant if call.has(index) else None
    return None if constant is None else constant.name


def _axis(call: Call) -> int:
    return int(call.attribute("axis", 1)) % call.rank(_X)


def _block(call: Call) -> int:
    return int(call.attribute("block_size", 0))


def _is_scalar(call: Call) -> bool:
    return call.shape(_SCALE) in ((), (1,)) and not _block(call)


def _laid(call: Call) -> Laid:
    """The input in a layout in which its axes can be told apart, where they must be."""
    return call.value(_X).laid if _is_scalar(call) else call.value(_X).permuted


def _has_offset(call: Call) -> bool:
    if not call.has(_ZERO):
        return False
    zero_point = call.constant(_ZERO)
    return zero_point is None or bool(zero_point.any())


def _parameter(call: Call, index: int, layout: Layout | None, dtype: DType) -> Tensor:
    """Scale or zero point, broadcast against the input in `layout`."""
    value = call.value(index)
    if _is_scalar(call):
        tensor = call.emit("Reshape", value.tensor(), call.const([], DType.INT32)) if value.rank else value.tensor()
        return call.cast(tensor, dtype)
    axis = _axis(call)
    assert layout is not None
    if _block(call):
        places = call.const(np.arange(_size(call, axis)) // _block(call), DType.INT32)
        return call.emit(
            "GatherV2", call.cast(value.tensor(layout), dtype), places, call.const(layout.axis(axis), DType.INT32)
        )
    behind = [1] * (layout.rank - layout.axis(axis) - 1)
    tensor = call.cast(value.tensor(), dtype)
    return call.emit("Reshape", tensor, call.const([-1, *behind], DType.INT32)) if behind else tensor


def _size(call: Call, axis: int) -> int:
    size = call.shape(_X)[axis]
    if size is None:
        call.refuse(f"the size of axis {axis}, which is quantised in blocks, must be known")
    return size


# Arithmetic


def _quantised(call: Call, dtype: DType) -> Laid:
    """QuantizeLinear step by step."""
    tensor, layout = _laid(call)
    scale = _parameter(call, _SCALE, layout, DType.FLOAT)
    tensor = call.emit("Round", divided(call, call.cast(tensor, DType.FLOAT), scale))
    if _has_offset(call):
        tensor = call.emit("AddV2", tensor, _parameter(call, _ZERO, layout, DType.FLOAT))
    return Laid(call.cast(clipped(call, tensor, dtype), dtype), layout)


def divided(call: Call, tensor: Tensor, divisor: Tensor) -> Tensor:
    """A quotient to the last bit: of RealDiv by a constant TensorFlow's optimiser makes a product with its inverse."""
    return call.emit("DivNoNan", tensor, divisor)


def clipped(call: Call, tensor: Tensor, dtype: DType, origin: int = 0) -> Tensor:
    """Whole numbers, in float32, between the ends of integers of `dtype` as seen from `origin`."""
    limits = np.iinfo(dtype.numpy)
    ends = [call.const(limit - origin, DType.FLOAT) for limit in (limits.min, limits.max)]
    return call.emit("ClipByValue", tensor, *ends)


def _dequantised(call: Call, dtype: DType) -> Laid:
    """DequantizeLinear step by step; integers of 32 bits are subtracted as such."""
    tensor, layout = _laid(call)
    exact = DType.INT32 if tensor.dtype == DType.INT32 else DType.FLOAT
    tensor = call.cast(tensor, exact)
    if _has_offset(call):
        tensor = call.emit("Sub", tensor, _parameter(call, _ZERO, layout, exact))
    scale = _parameter(call, _SCALE, layout, DType.FLOAT)
    return Laid(call.cast(call.emit("Mul", call.cast(tensor, DType.FLOAT), scale), dtype), layout)


# A pair


def _rounded(call: Call, made: Quantized) -> Laid:
    """The same numbers as onnxruntime's, which never become integers on the way."""
    tensor, layout = made.source.laid if made.axis is None else made.source.permuted
    axis = -1 if made.axis is None or layout is None else layout.axis(made.axis) - layout.rank

    def spread(parameter: NDArray[Any]) -> Tensor:
        return call.const(parameter.reshape([-1, *[1] * (-axis - 1)] if parameter.ndim else ()), DType.FLOAT)

    origin = made.zero_point.reshape(-1)
    shifted = bool((origin != origin[0]).any())
    tensor = call.emit("Round", divided(call, tensor, spread(made.scale)))
    if shifted:
        tensor = call.emit("AddV2", tensor, spread(made.zero_point))
    tensor = clipped(call, tensor, call.dtype(_X), 0 if shifted else int(origin[0]))
    if shifted:
        tensor = call.emit("Sub", tensor, spread(made.zero_point))
    return Laid(call.emit("Mul", tensor, spread(made.scale)), layout)


def _fake_quantised(call: Call, made: Quantized) -> Laid | None:
    """FakeQuant, with the channels last if each has a grid; None where it cannot say this."""
    told = fake_range(made)
    if told is None:
        return None
    tensor, layout = made.source.laid
    if made.axis is not None:
        layout = made.source.permuted.layout
        if layout is None or layout.rank not in (1, 2, 4):
            return None
        layout = last(layout, made.axis)
        tensor = made.source.tensor(layout)
    result = fake_quant(call.graph, tensor, told, made, call.title)
    call.made.append(result.node)
    return Laid(result, layout)


# Constants


def _stored(call: Call, integers: Value, grid: Grid) -> Value:
    """Stored integers, simulated where they are used."""
    stored = integers.constant
    assert stored is not None
    quantization = Quantization(stored=stored, **vars(grid))
    constant = Constant(name=call.title, source=None, shape=stored.shape, dtype=DType.FLOAT, quantization=quantization)
    name = stored.name.removesuffix("_quantized")
    value = Value(graph=call.graph, name=name, dtype=DType.FLOAT, shape=stored.shape, constant=constant)
    mode = call.scope.settings.mode
    told = fake_range(grid, narrow=_is_narrow(quantization)) if mode == "fake-quant" else None
    if told is not None:
        source = integers.quantized.source if integers.quantized is not None else None
        value.simulate = FakeQuantised(quantization=quantization, told=told, numbers=source)
    elif mode in ("exact", "fake-quant") and stored.dtype != DType.INT32:
        value.simulate = Integers(quantization=quantization)
    return value


def _is_narrow(quantization: Quantization) -> bool:
    """Whether zero is in the middle of the integers and the lowest one, which has no counterpart, is not used."""
    limits = np.iinfo(quantization.zero_point.dtype)
    if limits.bits > 16 or (quantization.zero_point != (limits.min + limits.max + 1) // 2).any():
        return False
    return bool(quantization.stored.array().min(initial=limits.max) > limits.min)


def _integers(source: Constant, grid: Grid) -> NDArray[Any]:
    dtype = grid.zero_point.dtype.name
    return quantize.quantize(source.array(), grid.scale, grid.zero_point, dtype=dtype, axis=grid.axis)


def _numbers(call: Call, stored: Constant, dtype: DType) -> Value | None:
    """Integers of other grids, dequantised on paper; None where the grid is computed."""
    scale, zero_point = call.constant(_SCALE), call.constant(_ZERO)
    if scale is None or (call.has(_ZERO) and zero_point is None):
        return None
    offset = np.zeros(scale.shape, np.int32) if zero_point is None else zero_point
    axis = None if _is_scalar(call) else _axis(call)

    def spread(parameter: NDArray[Any]) -> NDArray[Any]:
        if axis is None:
            return parameter.reshape(())
        return parameter.take(np.arange(stored.shape[axis]) // _block(call), axis) if _block(call) else parameter

    def compute() -> NDArray[Any]:
        of_channels = None if _block(call) else axis
        numbers = quantize.dequantize(stored.array(), spread(scale), spread(offset), axis=of_channels)
        return numbers.astype(dtype.numpy)

    constant = on_paper(call.title, stored.shape, dtype, compute)
    return Value(graph=call.graph, name=call.title, dtype=dtype, shape=stored.shape, constant=constant)


def on_paper(name: str, shape: tuple[int, ...], dtype: DType, compute: Any) -> Constant:
    """A constant that is computed when it is read."""
    kind = ir.DataType.from_numpy(dtype.numpy)
    source = ir.LazyTensor(lambda: ir.tensor(compute(), dtype=kind), dtype=kind, shape=ir.Shape(shape), name=name)
    return Constant(name=name, source=source, shape=shape, dtype=dtype)


RULES: Mapping[str, Rule] = {
    "DequantizeLinear": dequantize_linear,
    "QuantizeLinear": quantize_linear,
    "com.microsoft::DequantizeLinear": dequantize_linear,
    "com.microsoft::QuantizeLinear": quantize_linear,
}

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

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import last
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.quantization import quantized_constants
from onnxpress_backends.tensorflow.quantization.fake_quantization import fake_quant, fake_range
from onnxpress_backends.tensorflow.quantization.quantization_parameters import SCALE, ZERO_POINT, Parameters, X
from onnxpress_backends.tensorflow.quantization.simulation import Quantized

if TYPE_CHECKING:
    from numpy.typing import NDArray


def quantize_linear(call: Call) -> Value | Laid:
    """Integers, if anybody wants them."""
    dtype = _given_type(call) or (call.dtype(ZERO_POINT) if call.has(ZERO_POINT) else DType.UINT8)
    source, grid = call.value(X), Parameters(call).grid(dtype)
    if grid is None or source.dtype != DType.FLOAT:
        return _quantised(call, dtype)
    became = Value(graph=call.graph, name=call.title, dtype=dtype, shape=source.shape)
    became.compute = partial(_quantised, call, dtype)
    became.quantized = Quantized(source=source, **vars(grid))
    if source.constant is not None:
        became.constant = quantized_constants.quantised(source.constant, grid, call.title, dtype)
    return became


def dequantize_linear(call: Call) -> Value | Laid:
    """Numbers: simulated where the integers are stored, or made by a QuantizeLinear of the same grid."""
    integers, parameters = call.value(X), Parameters(call)
    dtype = _given_type(call) or call.dtype(SCALE)
    grid = parameters.grid(integers.dtype) if dtype == DType.FLOAT else None
    made = integers.quantized
    mode = call.scope.settings.mode
    if made is not None and grid is not None and made.is_grid(grid):
        if mode in ("float", "quantize-weights"):
            return made.source
        if integers.constant is None:
            return (_fake_quantised(call, made) if mode == "fake-quant" else None) or _rounded(call, made)
    if integers.constant is not None:
        if grid is not None:
            return quantized_constants.stored(parameters, integers, grid)
        numbers = quantized_constants.dequantised(parameters, integers.constant, dtype)
        if numbers is not None:
            return numbers
    return _dequantised(call, dtype)


def _given_type(call: Call) -> DType | None:
    given = call.attribute("output_dtype", 0)
    return of_onnx(ir.DataType(given), f"the output of {call.node.name!r}") if given else None


def _quantised(call: Call, dtype: DType) -> Laid:
    """QuantizeLinear step by step."""
    parameters = Parameters(call)
    tensor, layout = parameters.laid
    scale = parameters.aligned(SCALE, layout, DType.FLOAT)
    tensor = call.emit("Round", divided(call, call.cast(tensor, DType.FLOAT), scale))
    if parameters.has_offset:
        tensor = call.emit("AddV2", tensor, parameters.aligned(ZERO_POINT, layout, DType.FLOAT))
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
    parameters = Parameters(call)
    tensor, layout = parameters.laid
    exact = DType.INT32 if tensor.dtype == DType.INT32 else DType.FLOAT
    tensor = call.cast(tensor, exact)
    if parameters.has_offset:
        tensor = call.emit("Sub", tensor, parameters.aligned(ZERO_POINT, layout, exact))
    scale = parameters.aligned(SCALE, layout, DType.FLOAT)
    return Laid(call.cast(call.emit("Mul", call.cast(tensor, DType.FLOAT), scale), dtype), layout)


def _rounded(call: Call, made: Quantized) -> Laid:
    """A pair as onnxruntime computes it, the integers being whole numbers in float32."""
    tensor, layout = made.source.laid if made.axis is None else made.source.permuted
    behind = 0 if made.axis is None or layout is None else layout.rank - layout.axis(made.axis) - 1

    def spread(parameter: NDArray[Any]) -> Tensor:
        return call.const(parameter.reshape([-1, *[1] * behind] if parameter.ndim else ()), DType.FLOAT)

    origin = int(made.zero_point.flat[0])
    shifted = bool((made.zero_point != origin).any())
    tensor = call.emit("Round", divided(call, tensor, spread(made.scale)))
    if shifted:
        tensor = call.emit("AddV2", tensor, spread(made.zero_point))
    tensor = clipped(call, tensor, call.dtype(X), 0 if shifted else origin)
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


RULES: Mapping[str, Rule] = {
    "DequantizeLinear": dequantize_linear,
    "QuantizeLinear": quantize_linear,
    "com.microsoft::DequantizeLinear": dequantize_linear,
    "com.microsoft::QuantizeLinear": quantize_linear,
}

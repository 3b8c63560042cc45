"""Constants quantised or dequantised when the graph is written, and what is left of that for when it runs.

Stored integers with a grid are a constant that writes itself by the mode (`stored_integers`); all others are computed
on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress import quantize
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.layout.constants import Constant, Grid, Quantization
from onnxpress_backends.tensorflow.layout.values import Value
from onnxpress_backends.tensorflow.quantization.fake_quantization import fake_range
from onnxpress_backends.tensorflow.quantization.quantization_parameters import Parameters
from onnxpress_backends.tensorflow.quantization.stored_integers import FakeQuantised, Integers

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stored(parameters: Parameters, integers: Value, grid: Grid) -> Value:
    """What a DequantizeLinear of the constant `integers` gives.

    Args:
        parameters: Of the DequantizeLinear.
        integers: A constant, or what a QuantizeLinear makes of one.
        grid: Its grid.
    """
    call, source = parameters.call, integers.constant
    assert source is not None
    quantization = Quantization(stored=source, **vars(grid))
    constant = Constant(name=call.title, source=None, shape=source.shape, dtype=DType.FLOAT, quantization=quantization)
    name = source.name.removesuffix("_quantized")
    value = Value(graph=call.graph, name=name, dtype=DType.FLOAT, shape=source.shape, constant=constant)
    mode = call.scope.settings.mode
    told = fake_range(grid, narrow=_is_narrow(quantization)) if mode == "fake-quant" else None
    if told is not None:
        numbers = integers.quantized.source if integers.quantized is not None else None
        value.simulate = FakeQuantised(quantization=quantization, told=told, numbers=numbers)
    elif mode in ("exact", "fake-quant") and source.dtype != DType.INT32:
        value.simulate = Integers(quantization=quantization)
    return value


def _is_narrow(quantization: Quantization) -> bool:
    """Whether zero is in the middle of the integers and the lowest one, which has no counterpart, is not used."""
    limits = np.iinfo(quantization.zero_point.dtype)
    if limits.bits > 16 or (quantization.zero_point != (limits.min + limits.max + 1) // 2).any():
        return False
    return bool(quantization.stored.array().min(initial=limits.max) > limits.min)


def quantised(source: Constant, grid: Grid, name: str, dtype: DType) -> Constant:
    """What a QuantizeLinear makes of a constant."""

    def compute() -> NDArray[Any]:
        kind = grid.zero_point.dtype.name
        return quantize.quantize(source.array(), grid.scale, grid.zero_point, dtype=kind, axis=grid.axis)

    return on_paper(name, source.shape, dtype, compute)


def dequantised(parameters: Parameters, source: Constant, dtype: DType) -> Value | None:
    """What a DequantizeLinear without a grid makes of a constant; None where scale or zero point are computed."""
    call, known = parameters.call, parameters.known(source.dtype)
    if known is None:
        return None
    axis, block = parameters.axis, parameters.block

    def compute() -> NDArray[Any]:
        scale, zero_point = (each.reshape(()) for each in known) if axis is None else known
        if block:
            scale, zero_point = (each.take(parameters.blocks, axis) for each in known)
        numbers = quantize.dequantize(source.array(), scale, zero_point, axis=None if block else axis)
        return numbers.astype(dtype.numpy)

    constant = on_paper(call.title, source.shape, dtype, compute)
    return Value(graph=call.graph, name=call.title, dtype=dtype, shape=source.shape, constant=constant)


def on_paper(name: str, shape: tuple[int, ...], dtype: DType, compute: Callable[[], NDArray[Any]]) -> Constant:
    """A constant that is computed whenever it is read."""
    kind = ir.DataType.from_numpy(dtype.numpy)
    source = ir.LazyTensor(lambda: ir.tensor(compute(), dtype=kind), dtype=kind, shape=ir.Shape(shape), name=name)
    return Constant(name=name, source=source, shape=shape, dtype=dtype)

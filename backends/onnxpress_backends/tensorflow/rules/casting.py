"""Changes of element type: by value (Cast, CastLike) and by bits (BitCast).

TensorFlow's Cast does what ONNX asks for: fractions are cut off, integers wrap, all but zero is true.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.values import Laid, Value

_DIGITS = {DType.FLOAT: 8, DType.DOUBLE: 17}
"""Significant digits of a number as text, those that onnxruntime writes."""

_READ = (DType.FLOAT, DType.DOUBLE, DType.INT32, DType.INT64)
"""What TensorFlow reads from text."""


def cast(call: Call) -> Laid | Value:
    """To the type that the attribute names."""
    return _to(call, _named(call))


def cast_like(call: Call) -> Laid | Value:
    """To the type of the second input."""
    return _to(call, call.dtype(1))


def _named(call: Call) -> DType:
    return of_onnx(ir.DataType(call.attribute("to")), f"the output of node {call.node.name!r}")


def _to(call: Call, dtype: DType) -> Laid | Value:
    tensor, layout = call.value(0).laid
    if tensor.dtype == dtype:
        return call.value(0)
    if dtype == DType.STRING:
        return Laid(_spelt(call, tensor), layout)
    if tensor.dtype == DType.STRING:
        return Laid(_read(call, tensor, dtype), layout)
    return Laid(call.cast(tensor, dtype), layout)


def _spelt(call: Call, tensor: Tensor) -> Tensor:
    if tensor.dtype == DType.BOOL:
        call.refuse("TensorFlow does not write truth values as ONNX does")
    if not tensor.dtype.is_float:
        return call.emit("AsString", tensor)
    wide = tensor if tensor.dtype in _DIGITS else call.cast(tensor, DType.FLOAT)
    return call.emit("AsString", wide, precision=_DIGITS[wide.dtype], shortest=True)


def _read(call: Call, tensor: Tensor, dtype: DType) -> Tensor:
    if dtype == DType.BOOL:
        call.refuse("TensorFlow does not read truth values from text")
    if dtype in _READ:
        return call.emit("StringToNumber", tensor, out_type=dtype)
    wide = DType.FLOAT if dtype.is_float else DType.INT64
    return call.cast(call.emit("StringToNumber", tensor, out_type=wide), dtype)


def bit_cast(call: Call) -> Laid | Value:
    """The same bits as another type of the same width; a truth value is one byte, 0 or 1."""
    tensor, layout = call.value(0).laid
    dtype = _named(call)
    if tensor.dtype == dtype:
        return call.value(0)
    if tensor.dtype == DType.BOOL:
        tensor = call.cast(tensor, DType.UINT8)
    if dtype == DType.BOOL:
        return Laid(call.cast(tensor, DType.BOOL), layout)
    return Laid(tensor if tensor.dtype == dtype else call.emit("Bitcast", tensor, type=dtype), layout)


RULES: Mapping[str, Rule] = {
    "BitCast": bit_cast,
    "Cast": cast,
    "CastLike": cast_like,
}

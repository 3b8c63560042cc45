"""TensorFlow's element types: their numbers in a GraphDef, and what they are in ONNX and numpy."""

from __future__ import annotations

import enum
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir

from onnxpress.errors import UnsupportedModel


class DType(enum.IntEnum):
    """The numbers of `tensorflow/core/framework/types.proto`."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    STRING = 7
    COMPLEX64 = 8
    INT64 = 9
    BOOL = 10
    QINT8 = 11
    QUINT8 = 12
    QINT32 = 13
    BFLOAT16 = 14
    QINT16 = 15
    QUINT16 = 16
    UINT16 = 17
    COMPLEX128 = 18
    HALF = 19
    RESOURCE = 20
    VARIANT = 21
    UINT32 = 22
    UINT64 = 23

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy type of one element."""
        kind: np.dtype[Any] = np.dtype(_NUMPY[self])
        return kind

    @property
    def is_float(self) -> bool:
        """Whether it is a real floating-point type."""
        return self in (DType.FLOAT, DType.DOUBLE, DType.HALF, DType.BFLOAT16)

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer type, quantised types aside."""
        return self in _INTEGERS


_NUMPY: dict[DType, Any] = {
    DType.FLOAT: np.float32,
    DType.DOUBLE: np.float64,
    DType.INT32: np.int32,
    DType.UINT8: np.uint8,
    DType.INT16: np.int16,
    DType.INT8: np.int8,
    DType.STRING: np.object_,
    DType.COMPLEX64: np.complex64,
    DType.INT64: np.int64,
    DType.BOOL: np.bool_,
    DType.QINT8: np.int8,
    DType.QUINT8: np.uint8,
    DType.QINT32: np.int32,
    DType.BFLOAT16: ml_dtypes.bfloat16,
    DType.QINT16: np.int16,
    DType.QUINT16: np.uint16,
    DType.UINT16: np.uint16,
    DType.COMPLEX128: np.complex128,
    DType.HALF: np.float16,
    DType.UINT32: np.uint32,
    DType.UINT64: np.uint64,
}
_QUANTISED = (DType.QINT8, DType.QUINT8, DType.QINT32, DType.QINT16, DType.QUINT16)
_INTEGERS = tuple(
    dtype
    for dtype, kind in _NUMPY.items()
    if dtype not in _QUANTISED
    and kind is not np.object_
    and kind is not ml_dtypes.bfloat16
    and np.issubdtype(kind, np.integer)
)
_OF_NUMPY = {np.dtype(kind): dtype for dtype, kind in _NUMPY.items() if dtype not in _QUANTISED}
_OF_ONNX = {
    ir.DataType.FLOAT: DType.FLOAT,
    ir.DataType.DOUBLE: DType.DOUBLE,
    ir.DataType.INT32: DType.INT32,
    ir.DataType.UINT8: DType.UINT8,
    ir.DataType.INT16: DType.INT16,
    ir.DataType.INT8: DType.INT8,
    ir.DataType.STRING: DType.STRING,
    ir.DataType.COMPLEX64: DType.COMPLEX64,
    ir.DataType.INT64: DType.INT64,
    ir.DataType.BOOL: DType.BOOL,
    ir.DataType.BFLOAT16: DType.BFLOAT16,
    ir.DataType.UINT16: DType.UINT16,
    ir.DataType.COMPLEX128: DType.COMPLEX128,
    ir.DataType.FLOAT16: DType.HALF,
    ir.DataType.UINT32: DType.UINT32,
    ir.DataType.UINT64: DType.UINT64,
}


def of_numpy(kind: Any) -> DType:
    """TensorFlow's name of a numpy type; object and text arrays are strings."""
    dtype = np.dtype(kind)
    return DType.STRING if dtype.kind in "OSU" else _OF_NUMPY[dtype]


def of_onnx(dtype: ir.DataType | None, what: str) -> DType:
    """TensorFlow's name of an ONNX type.

    Args:
        dtype: The ONNX type; None where it is not known.
        what: What the error names.

    Raises:
        UnsupportedModel: TensorFlow cannot compute with this type.
    """
    if dtype is None:
        raise UnsupportedModel(f"the type of {what} is not known; TensorFlow needs every type")
    if dtype not in _OF_ONNX:
        raise UnsupportedModel(f"{what} is of type {dtype.name}, which TensorFlow has no operators for")
    return _OF_ONNX[dtype]

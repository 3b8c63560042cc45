"""Constants of the ONNX graph, and how they are arranged for TensorFlow.

A kernel is OIHW in ONNX and HWIO in TensorFlow; an arrangement is always a reshape, a transposition and a reshape, so
that it can be undone and tuned weights find their way back.  Data are read when a graph is written, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress import quantize
from onnxpress_backends.tensorflow.graphs.dtypes import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """``array.reshape(view).transpose(perm).reshape(shape)``."""

    view: tuple[int, ...]
    perm: tuple[int, ...]
    shape: tuple[int, ...]

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array arranged."""
        return array.reshape(self.view).transpose(self.perm).reshape(self.shape)

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array as it was, of shape `view`."""
        moved = array.reshape([self.view[axis] for axis in self.perm])
        return moved.transpose(np.argsort(self.perm)).reshape(self.view)

    @property
    def keeps_order(self) -> bool:
        """Whether every element stays where it is in memory."""
        kept = [axis for axis in self.perm if self.view[axis] != 1]
        return kept == sorted(kept)


def as_it_is(shape: Sequence[int]) -> Arrangement:
    """The arrangement that changes nothing."""
    return Arrangement(view=tuple(shape), perm=tuple(range(len(shape))), shape=tuple(shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """The numbers ``(q - zero_point) * scale`` for the integers q of a type.

    Attributes:
        scale: Float32 scalar, or one per channel.
        zero_point: Integers of the same shape; their type is that of q.
        axis: The ONNX axis of the channels, not negative; None per tensor.
        scale_name: Name of the constant that is the scale.
        zero_point_name: Name of the constant that is the zero point; None where it is left out.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[Any]
    axis: int | None
    scale_name: str | None = None
    zero_point_name: str | None = None

    def is_grid(self, other: Grid) -> bool:
        """Whether `other` has the same numbers for the same integers."""
        return (
            self.axis == other.axis
            and self.zero_point.dtype == other.zero_point.dtype
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantization(Grid):
    """The grid that a constant is stored on.

    Attributes:
        stored: The integers, and the name of the initialiser that holds them.
    """

    stored: Constant


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """A value that is known: an initialiser, a Constant node, or integers and their scale.

    Attributes:
        name: Its name in the ONNX model.
        source: What holds the data; None for quantised ones, which are computed from the integers.
        shape: Its ONNX shape.
        dtype: Type of its elements.
        quantization: The grid; None for plain data.
    """

    name: str
    source: ir.TensorProtocol | None
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None

    def array(self) -> NDArray[Any]:
        """The data, of the ONNX shape."""
        if self.quantization is None:
            assert self.source is not None
            return np.asarray(self.source.numpy())
        grid = self.quantization
        return quantize.dequantize(grid.stored.array(), grid.scale, grid.zero_point, axis=grid.axis)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weight:
    """A constant as it stands in the TensorFlow graph.

    Attributes:
        constant: What it is made of.
        arrangement: How.
    """

    constant: Constant
    arrangement: Arrangement

    @property
    def dtype(self) -> DType:
        """Type of its elements."""
        return self.constant.dtype

    @property
    def nbytes(self) -> int:
        """Size of the data."""
        return int(np.prod(self.arrangement.shape, dtype=np.int64)) * self.dtype.numpy.itemsize

    def array(self) -> NDArray[Any]:
        """The data arranged, in C order."""
        return np.ascontiguousarray(self.arrangement.apply(self.constant.array())).reshape(self.arrangement.shape)

"""A kernel as a matrix, and the matrix a piece at a time.

A convolution of kernel W[o, i, k...] is split into two where its axes are split into two: the first convolution sees the
input channels and some of the axes of the kernel, the second the rest and the output channels.  W is then a matrix M

    M[(o, rest), (i, first)] = W[o, i, k...]         M ~ B A,  A the first convolution, B the second

and every form of two convolutions is one choice of axes: one of them, k x 1 and 1 x k (Jaderberg et al., BMVC 2014; Tai et
al., ICLR 2016); all of them, k x k and 1 x 1 (Zhang et al., CVPR 2015); none, 1 x 1 and k x k, or a matrix.

M is never held whole beside W: its Gram matrix and its products are added up from chunks of channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[np.floating[Any]]

_CHUNK = 2**24
"""Elements of the matrix that are held at a time."""


class Unfolding:
    """The matrix of a kernel.

    Args:
        weight: ``(outputs, inputs, *kernel)``, any number of kernel axes.
        first_axes: The axes of the kernel, counted from 0, that the first convolution has.

    Attributes:
        rows: Outputs times the rest of the kernel.
        columns: Inputs times the first axes of the kernel.
    """

    def __init__(self, weight: Array, first_axes: Sequence[int]) -> None:
        kernel = range(weight.ndim - 2)
        self._first = [axis for axis in kernel if axis in set(first_axes)]
        self._rest = [axis for axis in kernel if axis not in self._first]
        order = [0, *(axis + 2 for axis in self._rest), 1, *(axis + 2 for axis in self._first)]
        self._weight = weight
        self._view = weight.transpose(order)
        self.rows = int(np.prod(self._view.shape[: len(self._rest) + 1]))
        self.columns = weight.size // self.rows

    def gram(self, *, of_rows: bool, dtype: DTypeLike) -> Array:
        """``M M^T`` or, of columns, ``M^T M``."""
        size = self.rows if of_rows else self.columns
        total = np.zeros((size, size), dtype)
        for _, chunk in self._chunks(by_rows=not of_rows, dtype=dtype):
            total += chunk @ chunk.T if of_rows else chunk.T @ chunk
        return total

    def times(self, right: Array) -> Array:
        """``M @ right``."""
        chunks = self._chunks(by_rows=True, dtype=right.dtype)
        return np.concatenate([chunk @ right for _, chunk in chunks])

    def times_left(self, left: Array) -> Array:
        """``left @ M``."""
        chunks = self._chunks(by_rows=False, dtype=left.dtype)
        return np.concatenate([left @ chunk for _, chunk in chunks], axis=1)

    def first(self, rows: Array) -> Array:
        """The weight of the first convolution, ``(rank, inputs, *kernel)``, from ``(rank, columns)``."""
        shape = self._weight.shape
        kernel = [shape[axis + 2] if axis in self._first else 1 for axis in range(len(shape) - 2)]
        return np.ascontiguousarray(rows.reshape(len(rows), shape[1], *kernel))

    def second(self, columns: Array) -> Array:
        """The weight of the second convolution, ``(outputs, rank, *kernel)``, from ``(rows, rank)``."""
        shape, rank = self._weight.shape, columns.shape[1]
        kernel = [1 if axis in self._first else shape[axis + 2] for axis in range(len(shape) - 2)]
        return np.ascontiguousarray(np.moveaxis(columns.reshape(shape[0], *kernel, rank), -1, 1))

    def _chunks(self, *, by_rows: bool, dtype: DTypeLike) -> Iterator[tuple[slice, Array]]:
        axis = 0 if by_rows else len(self._rest) + 1
        channels = self._view.shape[axis]
        step = max(1, _CHUNK * channels // max(self._weight.size, 1))
        for start in range(0, channels, step):
            part = slice(start, min(start + step, channels))
            piece = self._view[part] if by_rows else self._view[(slice(None),) * axis + (part,)]
            matrix = piece.reshape(-1, self.columns) if by_rows else piece.reshape(self.rows, -1)
            yield part, matrix.astype(dtype, copy=False)

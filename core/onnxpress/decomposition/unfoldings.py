"""A kernel as a matrix, and the matrix a piece at a time.

A convolution of kernel W[o, i, k...] is split into two where its axes are split into two: the first convolution sees
the input channels and some of the axes of the kernel, the second the rest and the output channels.  That is a matrix

    M[(o, rest), (i, first)] = W[o, i, k...]         M ~ B A,  A the first convolution, B the second

and every form of two convolutions is one choice of axes: one of them, k x 1 and 1 x k (Jaderberg et al., BMVC 2014; Tai
et al., ICLR 2016); all of them, k x k and 1 x 1 (Zhang et al., CVPR 2015); none, 1 x 1 and k x k, or a matrix.

M is never held whole beside W: its Gram matrix and its products are added up from chunks of channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[np.floating[Any]]

CHUNK = 2**24
"""Elements of the matrix that are held at a time, unless one channel has more."""


class Unfolding:
    """The matrix of a kernel.

    Args:
        weight: ``(outputs, inputs, *kernel)``, any number of kernel axes, not empty.
        first_axes: The axes of the kernel, counted from 0, that the first convolution has.

    Attributes:
        rows: Outputs times the rest of the kernel.
        columns: Inputs times the first axes of the kernel.
        dtype: Of the weight.
    """

    def __init__(self, weight: Array, first_axes: Sequence[int]) -> None:
        kernel = range(weight.ndim - 2)
        self._first = [axis for axis in kernel if axis in first_axes]
        self._rest = [axis for axis in kernel if axis not in first_axes]
        order = [0, *(axis + 2 for axis in self._rest), 1, *(axis + 2 for axis in self._first)]
        self._weight = weight
        self._view = weight.transpose(order)
        self.rows = prod(self._view.shape[: len(self._rest) + 1])
        self.columns = prod(self._view.shape[len(self._rest) + 1 :])
        self.dtype = weight.dtype

    @property
    def side(self) -> int:
        """The smaller side, which is the highest rank there is."""
        return min(self.rows, self.columns)

    def gram(self, *, of_rows: bool, dtype: DTypeLike) -> Array:
        """``M M^T`` or, of columns, ``M^T M``."""
        total: Array | None = None
        summand: Array | None = None
        for _, chunk in self._chunks(by_rows=not of_rows, dtype=dtype):
            left = chunk if of_rows else chunk.T
            if total is None:
                total = left @ left.T
            else:
                summand = np.matmul(left, left.T, out=summand)
                total += summand
        assert total is not None, "a weight is not empty"
        return total

    def times(self, right: Array) -> Array:
        """``M @ right``."""
        product = np.empty((self.rows, right.shape[1]), right.dtype)
        for part, chunk in self._chunks(by_rows=True, dtype=right.dtype):
            np.matmul(chunk, right, out=product[part])
        return product

    def times_left(self, left: Array) -> Array:
        """``left @ M``."""
        product = np.empty((len(left), self.columns), left.dtype)
        for part, chunk in self._chunks(by_rows=False, dtype=left.dtype):
            product[:, part] = left @ chunk
        return product

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
        """Some rows, or columns, of the matrix at a time, with where they are."""
        axis = 0 if by_rows else len(self._rest) + 1
        channels = self._view.shape[axis]
        each = (self.rows if by_rows else self.columns) // channels
        step = max(1, CHUNK * channels // self._weight.size)
        for start in range(0, channels, step):
            stop = min(start + step, channels)
            piece = self._view[(slice(None),) * axis + (slice(start, stop),)].astype(dtype, order="C", copy=False)
            yield slice(start * each, stop * each), piece.reshape((-1, self.columns) if by_rows else (self.rows, -1))

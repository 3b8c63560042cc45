"""The best product of two thin matrices, in the sense of the weights or of what the layer gives.

    minimise  ||(W - B A) L||_F      W: outputs x inputs,  A: rank x inputs,  B: outputs x rank

With ``L = 1`` this is the truncated singular value decomposition (Eckart and Young, 1936).  With ``L L^T`` the
covariance of the inputs it is the error of the *output*: the directions in which inputs never move cost nothing (DRONE,
Chen et al., NeurIPS 2021; SVD-LLM, Wang et al., arxiv.org/abs/2403.07378).  The singular values are split evenly
between both factors, so that both quantise well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.decomposition.leading_subspace import leading, leading_bytes, precision
from onnxpress.decomposition.triangular_roots import unwhiten, whiten
from onnxpress.decomposition.unfoldings import CHUNK, Unfolding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]


_FLOAT32 = (1e-25, 1e30)
"""Energies, sums of squares, between which float32 neither under- nor overflows."""


@dataclass(frozen=True, eq=False)
class Factors:
    """``second @ first`` approximates a matrix; any number of leading rows and columns is the best of that rank.

    Attributes:
        first: ``(rank, columns)``.
        second: ``(rows, rank)``.
        energies: Squared singular values that are kept, descending, ``(rank,)``; of the whitened matrix, if whitened.
        total: Sum of all squared singular values.
    """

    first: Matrix
    second: Matrix
    energies: Matrix
    total: float

    def error(self, rank: int | None = None) -> float:
        """Relative error, in the Frobenius norm that was minimised, of the first `rank` terms; None: of all."""
        lost = self.total - float(self.energies[:rank].sum(dtype=np.float64))
        return float(np.sqrt(max(lost, 0.0) / self.total)) if self.total else 0.0

    def cut(self, rank: int) -> Factors:
        """The first `rank` terms."""
        return Factors(self.first[:rank], self.second[:, :rank], self.energies[:rank], self.total)


def factor(matrix: Unfolding, rank: int, *, root: Matrix | None = None) -> Factors:
    """The best factors of a matrix.

    Args:
        matrix: What to factor.
        rank: Terms to keep, at most the smaller side.
        root: L, lower triangular ``(columns, columns)``, with ``L L^T`` the covariance of the inputs; None: 1.

    Returns:
        Factors in the precision that was computed in: float64 up to 1024 of the smaller side, float32 beyond.
    """
    of_rows = matrix.rows < matrix.columns
    gram = _gram(matrix, root, precision(matrix.side))
    total = float(np.trace(gram, dtype=np.float64))
    if gram.dtype == np.float32 and not _FLOAT32[0] < total < _FLOAT32[1]:
        gram = _gram(matrix, root, np.float64)
        total = float(np.trace(gram))
    energies, vectors = leading(gram, rank)
    del gram
    scale = np.sqrt(np.sqrt(energies))
    scale = np.where(scale > 0, scale, 1)
    if of_rows:
        first, second = matrix.times_left(np.ascontiguousarray(vectors.T)), vectors
        return Factors(first / scale[:, None], second * scale, energies, total)
    if root is None:
        return Factors((vectors * scale).T, matrix.times(vectors) / scale, energies, total)
    root = root.astype(vectors.dtype, copy=False)
    second = matrix.times(root @ vectors)
    unwhiten(vectors, root)
    return Factors((vectors * scale).T, second / scale, energies, total)


def narrowed(first: Matrix, second: Matrix, dtype: np.dtype[Any]) -> tuple[Matrix, Matrix]:
    """Two factors in the type of a weight.

    In float16 a power of two goes from one to the other: a covariance far from 1 drives them out of its range, in
    opposite directions.
    """
    largest = [float(max(matrix.max(), -matrix.min())) for matrix in (first, second)]
    if dtype == np.float16 and all(largest):
        power = np.exp2(np.round(np.log2(largest[1] / largest[0]) / 2))
        first, second = first * power, second / power
    return first.astype(dtype, copy=False), second.astype(dtype, copy=False)


def _gram(matrix: Unfolding, root: Matrix | None, dtype: type[np.floating[Any]]) -> Matrix:
    """The Gram matrix, of the smaller side, of what is factored."""
    of_rows = matrix.rows < matrix.columns
    with np.errstate(over="ignore", invalid="ignore"):
        if root is None:
            return matrix.gram(of_rows=of_rows, dtype=dtype)
        if of_rows:
            image = matrix.times(root).astype(dtype, copy=False)
            return image @ image.T
        gram = matrix.gram(of_rows=False, dtype=dtype)
        whiten(gram, root.astype(dtype, copy=False))
        return gram


def bytes_needed(rows: int, columns: int, rank: int, *, whitened: bool = False) -> int:
    """Memory that `factor` takes at its peak, beyond the weight and the root.

    Args:
        rows: Of the matrix.
        columns: Of the matrix.
        rank: Terms to keep.
        whitened: Whether there is a root.
    """
    side = min(rows, columns)
    number = np.dtype(precision(side)).itemsize
    chunk = min(CHUNK, rows * columns)
    image = (number + 4) * rows * columns if whitened and rows < columns else 0
    adding = number * (2 * side**2 + chunk) + image
    multiplying = number * (2 * (rows + columns) * rank + chunk)
    return max(adding, number * side**2 + leading_bytes(side, rank, number), multiplying)

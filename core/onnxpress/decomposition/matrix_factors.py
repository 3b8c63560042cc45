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

from onnxpress.decomposition.leading_subspace import leading
from onnxpress.decomposition.unfoldings import Unfolding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]


_EXACT_ROWS = 1536
"""Size of Gram matrix up to which float64 costs less than a second; single precision loses what is below 3e-4 of the
largest singular value."""


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
        Factors in the precision of the weight.
    """
    of_rows = matrix.rows < matrix.columns
    dtype = np.float64 if min(matrix.rows, matrix.columns) <= _EXACT_ROWS else np.float32
    root = None if root is None else root.astype(dtype, copy=False)
    gram: Matrix
    if root is not None and of_rows:
        image = matrix.times(root)
        gram = image @ image.T
    else:
        gram = matrix.gram(of_rows=of_rows, dtype=dtype)
        gram = gram if root is None else root.T @ gram @ root
    total = float(np.trace(gram, dtype=np.float64))
    energies, vectors = leading(gram, rank)
    del gram
    if of_rows:
        first, second = matrix.times_left(np.ascontiguousarray(vectors.T)), vectors
    else:
        second = matrix.times(vectors if root is None else root @ vectors)
        first = vectors.T if root is None else np.linalg.solve(root.T, vectors).T
    scale = np.sqrt(np.sqrt(energies))
    scale = np.where(scale > 0, scale, 1)
    up, down = (second, first) if of_rows else (first, second)
    up *= scale if of_rows else scale[:, None]
    down /= scale[:, None] if of_rows else scale
    return Factors(first, second, energies, total)

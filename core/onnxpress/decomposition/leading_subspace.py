"""The leading eigenvectors of a large symmetric matrix, without its full spectrum.

A weight of L x M numbers has its singular vectors in the Gram matrix of its smaller side, which is L x L.  Small ones are
decomposed whole, in float64; for large ones subspace iteration needs matrix products alone, the one thing that uses all
of a CPU: a random block is multiplied by the matrix a few times, made orthonormal by Cholesky factors, and rotated into
eigenvectors (Rayleigh-Ritz).

    Halko, Martinsson, Tropp: Finding structure with randomness, SIAM Review 53 (2011), arxiv.org/abs/0909.4061
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]

EXACT = 1024
"""Rows up to which the whole spectrum is computed."""

_STEPS = 4
_OVERSAMPLING = 0.1


def leading(gram: Matrix, rank: int, *, steps: int = _STEPS) -> tuple[Matrix, Matrix]:
    """The largest eigenvalues of a positive semidefinite matrix, with their eigenvectors.

    Args:
        gram: float32 or float64, ``(n, n)``, symmetric.
        rank: How many, at most n.
        steps: Multiplications by `gram`, where it is large; each makes the result better and takes ``n * n * rank``.

    Returns:
        Eigenvalues, descending, not negative, shape ``(rank,)``, and eigenvectors as columns, ``(n, rank)``.
    """
    size = len(gram)
    block = min(size, rank + max(16, int(rank * _OVERSAMPLING)))
    if size <= EXACT or block > 0.8 * size:
        values, vectors = np.linalg.eigh(gram)
        return np.maximum(values[::-1][:rank], 0), np.ascontiguousarray(vectors[:, ::-1][:, :rank])
    vectors = np.random.default_rng(0).standard_normal((size, block), dtype=gram.dtype)
    for _ in range(steps):
        vectors = _orthonormal(gram @ vectors)
    image = gram @ vectors
    values, rotation = np.linalg.eigh(vectors.T @ image)
    kept = rotation[:, ::-1][:, :rank]
    return np.maximum(values[::-1][:rank], 0), vectors @ kept


def _orthonormal(columns: Matrix) -> Matrix:
    """A basis of the span of `columns`: by Cholesky, twice, which is three products instead of one slow QR."""
    for _ in range(2):
        inner = (columns.T @ columns).astype(np.float64)
        try:
            factor = np.linalg.cholesky(inner)
        except np.linalg.LinAlgError:  # columns that are dependent to working precision
            return np.linalg.qr(columns)[0]
        columns = columns @ np.linalg.inv(factor).T.astype(columns.dtype)
    return columns

"""The leading eigenvectors of a large symmetric matrix, without its full spectrum.

A weight of L x M numbers has its singular vectors in the Gram matrix of its smaller side, which is L x L.  Small ones
are decomposed whole.  For large ones subspace iteration needs matrix products alone, the one thing that uses all of a
CPU:

    Y = (G - shift) V,   V = Y R^-1 with R the Cholesky factor of Y^T Y      a few times
    G V = V Q diag(values) Q^T                                              Rayleigh-Ritz, once

The shift, half of the smallest Rayleigh quotient of the block, pulls what is unwanted, between 0 and that quotient, to
both sides of zero, which makes a step worth nearly two.  The first block is a sum of signed columns of G, as good as
its product with a random matrix, and free.

    Halko, Martinsson, Tropp: Finding structure with randomness, SIAM Review 53 (2011), arxiv.org/abs/0909.4061
    Feng, Yu, Xie, Tang: Algorithm 1043, ACM Trans. Math. Softw. 50 (2024), arxiv.org/abs/2404.09276       shifts
    Charikar, Chen, Farach-Colton: Finding frequent items in data streams, ICALP 2002                        signed sums
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]

EXACT = 1024
"""Rows up to which the whole spectrum is computed, in float64, in well under a second."""

_STEPS = 3
_OVERSAMPLING = 0.2
"""Both chosen so that what is left is within 1 % of the least, of noise and of all spectra that fall."""

_WHOLE = 0.7
"""Share of the rows from which a block is no cheaper than the whole spectrum."""

_PASSES, _ABOVE = 3, 2
"""Most passes of Cholesky QR, and how many times the shift the least pivot is when no more are needed."""


def precision(size: int) -> type[np.float64 | np.float32]:
    """What to add a Gram matrix of `size` rows up in.

    In float32 it tells nothing of singular values below 3e-4 of the largest.
    """
    return np.float64 if size <= EXACT else np.float32


def block_of(size: int, rank: int) -> int:
    """Vectors that are iterated for `rank` eigenvectors of `size` rows; `size` where the spectrum is computed whole."""
    block = rank + max(16, int(rank * _OVERSAMPLING))
    return size if size <= EXACT or block > _WHOLE * size else block


def leading(gram: Matrix, rank: int) -> tuple[Matrix, Matrix]:
    """The largest eigenvalues of a positive semidefinite matrix, with their eigenvectors.

    Args:
        gram: float32 or float64, ``(n, n)``, symmetric.
        rank: How many, at most n.

    Returns:
        Eigenvalues, descending, not negative, ``(rank,)``, and orthonormal eigenvectors as columns, ``(n, rank)``.
        They are exact to rounding up to `EXACT` rows; beyond, what they leave is within 1 % of the least, 1.5 % where
        the spectrum is flat but for a small step.
    """
    block = block_of(len(gram), rank)
    if block == len(gram):
        return _largest(gram, rank)
    vectors = _untangled(_signed_sums(gram, block))
    for _ in range(_STEPS - 1):
        image = gram @ vectors
        image -= float(np.einsum("ij,ij->j", vectors, image).min()) / 2 * vectors
        vectors = _untangled(image)
    vectors = _orthonormal(vectors)
    values, rotation = _largest(vectors.T @ (gram @ vectors), rank)
    return values, vectors @ rotation


def leading_bytes(size: int, rank: int, itemsize: int) -> int:
    """Memory that `leading` takes at its peak, beyond the matrix, whose numbers have `itemsize` bytes.

    numpy decomposes in float64, whatever it is given, and LAPACK takes three matrices beside the result.
    """
    block = block_of(size, rank)
    if block == size:
        return 4 * 8 * size**2 + itemsize * size * (size + rank)
    return itemsize * 3 * size * block + 3 * 8 * block**2


def _largest(symmetric: Matrix, rank: int) -> tuple[Matrix, Matrix]:
    values, vectors = np.linalg.eigh(symmetric)
    return np.maximum(values[::-1][:rank], 0), np.ascontiguousarray(vectors[:, ::-1][:, :rank])


def _signed_sums(gram: Matrix, block: int) -> Matrix:
    """Every column in one of the sums, at random."""
    random, size = np.random.default_rng(0), len(gram)
    order, signs = random.permutation(size), random.choice(np.array([-1, 1], gram.dtype), size)
    total = np.zeros((block, size), gram.dtype)
    for start in range(0, size, block):
        rows = order[start : start + block]
        total[: len(rows)] += gram[rows] * signs[rows, None]
    return total.T


def _untangled(columns: Matrix) -> Matrix:
    """Nearly orthonormal columns of the same span; those that depend on others come out shorter.

    `columns` is overwritten.  One pass of Cholesky QR is not enough behind a spectrum that falls fast, which its least
    pivot tells.

    Fukaya, Kannan, Nakatsukasa, Yamamoto, Yanagisawa: Shifted Cholesky QR, SIAM J. Sci. Comput. 42 (2020)
    """
    for _ in range(_PASSES):
        columns /= max(columns.max(), -columns.min()) or 1
        inner = (columns.T @ columns).astype(np.float64)
        shift = _rounding(columns) * (float(np.trace(inner)) or 1)
        np.einsum("ii->i", inner)[:] += shift
        triangle = np.linalg.cholesky(inner)
        columns = columns @ np.linalg.inv(triangle).T.astype(columns.dtype)
        if triangle.diagonal().min() ** 2 > _ABOVE * shift:
            break
    return columns


def _rounding(columns: Matrix) -> float:
    """Of their products, and of a Cholesky decomposition in float64, relative to the trace."""
    return float(np.finfo(columns.dtype).eps + 10 * np.finfo(np.float64).eps)


def _orthonormal(columns: Matrix) -> Matrix:
    """Orthonormal columns of the same span, from those that `_untangled` gives."""
    inner = (columns.T @ columns).astype(np.float64)
    if inner.diagonal().min() < 0.5:
        return np.linalg.qr(columns)[0]
    return columns @ np.linalg.inv(np.linalg.cholesky(inner)).T.astype(columns.dtype)

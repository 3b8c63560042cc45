"""The triangular root of a covariance and what it does to matrices, in place and block by block.

A covariance enters a factorisation through its lower triangular root L, ``L L^T``.  Half of L is zero and what comes
out is symmetric, so that the products below cost less than half of what those of full matrices do.  They hold no second
matrix of that size, and stay in float32 where numpy's decompositions would go through float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]

_BLOCK = 256


def root(matrix: Matrix) -> None:
    """Put the lower triangular L with ``L L^T = S`` in the place of S.

    Args:
        matrix: S, symmetric, ``(n, n)``; only its lower half is looked at.

    Raises:
        LinAlgError: S is not positive definite.
    """
    for block, below in _blocks(len(matrix)):
        before, rest = slice(0, block.start), slice(block.stop, None)
        matrix[below, block] -= matrix[below, before] @ matrix[block, before].T
        triangle = np.linalg.cholesky(matrix[block, block])
        matrix[rest, block] = np.linalg.solve(triangle, matrix[rest, block].T).T
        matrix[block, block] = triangle
        matrix[block, rest] = 0


def whiten(gram: Matrix, root: Matrix) -> None:
    """Put ``L^T G L`` in the place of a symmetric G.

    Args:
        gram: G, ``(n, n)``.
        root: L, lower triangular, ``(n, n)``, of the same type.
    """
    for block, below in _blocks(len(root)):
        gram[block] = root[below, block].T @ gram[below]
    for block, below in _blocks(len(root)):
        gram[below, block] = gram[below, below] @ root[below, block]
        gram[block, below] = gram[below, block].T


def unwhiten(columns: Matrix, root: Matrix) -> None:
    """Put ``L^-T X`` in the place of X.

    Args:
        columns: X, ``(n, any)``.
        root: L, lower triangular, ``(n, n)``, of the same type.
    """
    for block, _ in reversed(list(_blocks(len(root)))):
        rest = slice(block.stop, None)
        columns[block] -= root[rest, block].T @ columns[rest]
        columns[block] = np.linalg.solve(root[block, block].T, columns[block])


def _blocks(size: int) -> Iterator[tuple[slice, slice]]:
    """Some rows at a time, with these and all below."""
    return ((slice(start, min(start + _BLOCK, size)), slice(start, None)) for start in range(0, size, _BLOCK))

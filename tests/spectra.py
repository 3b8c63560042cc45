"""Matrices whose singular values are known."""

from __future__ import annotations

import numpy as np


def orthonormal(rows: int, columns: int, seed: int) -> np.ndarray:
    """Columns that are."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((rows, columns)))[0]


def matrix_of(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A matrix with these singular values."""
    return (orthonormal(rows, len(values), 1) * values) @ orthonormal(columns, len(values), 2).T


def noise(rows: int, columns: int) -> np.ndarray:
    """Singular values that a large matrix of standard normal numbers has, descending (Marchenko and Pastur)."""
    low, high = sorted((rows, columns))
    alpha = low / high
    squares = np.linspace((1 - alpha**0.5) ** 2, (1 + alpha**0.5) ** 2, 20001)[1:-1]
    density = np.sqrt((squares[-1] - squares) * (squares - squares[0])) / squares
    share = np.cumsum(density) / density.sum()
    return np.sqrt(high * np.interp((np.arange(low)[::-1] + 0.5) / low, share, squares))

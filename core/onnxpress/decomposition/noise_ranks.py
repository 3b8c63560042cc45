"""How many singular values of a matrix stand above white noise: empirical variational Bayes (EVBMF).

    Nakajima, Sugiyama, Babacan, Tomioka: Global analytic solution of fully-observed variational Bayesian matrix
    factorization, JMLR 14 (2013)

For an L x M matrix, L <= M, with singular values s, the noise variance v minimises a free energy over an interval, and
the rank is the number of s above ``sqrt(M v (1 + tau)(1 + alpha / tau))``, alpha = L / M, tau = 2.5129 sqrt(alpha).
`evbmf` searches v relative to the mean square of the matrix, so that the rank does not change with its scale.  `amct`
is the rule of AMCT's ``auto_decomposition`` to the letter: it searches v in absolute terms, and lets the result move
only within a window around a fixed share of L.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.floating[Any]]

_TAU = 2.5129
_GOLDEN = 0.5 * (3.0 - math.sqrt(5.0))
_STEPS, _TOLERANCE = 500, 1e-5


def evbmf(singular_values: Values, rows: int, columns: int) -> int:
    """The number of singular values above noise, 0 if none is.

    Args:
        singular_values: All of them, descending.
        rows: Rows of the matrix.
        columns: Columns of the matrix.
    """
    largest = float(np.max(singular_values))
    if not largest:
        return 0
    values = singular_values.astype(np.float64) / largest
    return _above_noise(values * math.sqrt(rows * columns / float(np.square(values).sum())), rows, columns)


def amct(singular_values: Values, rows: int, columns: int, *, channels: int) -> int:
    """The rank that AMCT gives a convolution.

    Args:
        singular_values: All of them, descending.
        rows: Rows of the matrix, the smaller side.
        columns: Columns of the matrix.
        channels: Input or output channels, whichever are fewer.

    Returns:
        A multiple of 16, unless there are fewer singular values.
    """
    divisor = 4 if channels >= 256 else 6
    rank = min(_above_noise(singular_values, rows, columns), rows // divisor)
    rank = max(rank, rows // (divisor + 1))
    rounded = max((rank + 8) // 16 * 16, 16)
    if rounded < 0.9 * rank:
        rounded += 16
    return min(rounded, len(singular_values))


def _above_noise(singular_values: Values, rows: int, columns: int) -> int:
    low, high = sorted((rows, columns))
    squares = np.square(singular_values, dtype=np.float64)
    if not squares.any():
        return 0
    alpha = low / high
    tau = _TAU * math.sqrt(alpha)
    edge = (1 + tau) * (1 + alpha / tau)
    beyond = max(min(math.ceil(low / (1 + alpha)) - 1, low) - 1, 0)
    most = float(squares.sum()) / (low * high)
    tail = squares[beyond:]
    least = max(float(squares[min(beyond + 1, len(squares) - 1)]) / (high * edge), float(tail.mean()) / high)

    def energy(variance: float) -> float:
        ratio = squares / (high * variance)
        excess = ratio[ratio > edge] - (1 + alpha)
        t = (excess + np.sqrt(np.maximum(excess**2 - 4 * alpha, 0))) / 2
        signal = np.log(t + 1) + alpha * np.log(t / alpha + 1) - t
        return float(ratio.sum() + len(ratio) * math.log(variance) + signal.sum())

    variance = _least(energy, least, most)
    return int((singular_values > math.sqrt(high * variance * edge)).sum())


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one variable is least between two ends: Brent's method without derivatives."""
    x = older = oldest = low + _GOLDEN * (high - low)
    value = older_value = oldest_value = function(x)
    step = previous = 0.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        near = math.sqrt(2.2e-16) * abs(x) + _TOLERANCE / 3.0
        if abs(x - middle) <= 2.0 * near - 0.5 * (high - low):
            break
        golden = True
        if abs(previous) > near:  # a parabola through three points
            r, q = (x - older) * (value - oldest_value), (x - oldest) * (value - older_value)
            p, q = (x - oldest) * q - (x - older) * r, 2.0 * (q - r)
            p, q = (-p if q > 0 else p), abs(q)
            last, previous = previous, step
            if abs(p) < abs(0.5 * q * last) and q * (low - x) < p < q * (high - x):
                step, golden = p / q, False
                if x + step - low < 2 * near or high - x - step < 2 * near:
                    step = math.copysign(near, middle - x)
        if golden:
            previous = (low if x >= middle else high) - x
            step = _GOLDEN * previous
        trial = x + math.copysign(max(abs(step), near), step)
        found = function(trial)
        if found <= value:
            low, high = (x, high) if trial >= x else (low, x)
            oldest, older, x = older, x, trial
            oldest_value, older_value, value = older_value, value, found
            continue
        low, high = (trial, high) if trial < x else (low, trial)
        if found <= older_value or older == x:
            oldest, older, oldest_value, older_value = older, trial, older_value, found
        elif found <= oldest_value or oldest in (x, older):
            oldest, oldest_value = trial, found
    return x

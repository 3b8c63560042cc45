"""Sums of products of integers in float32, exact in whatever order they are added.

A float32 holds every integer up to 2**24.  With x in [low, high] around zero, every partial sum of ``sum x w`` lies in

    [low * P + high * N, high * P + low * N]        P, N: the sums of the positive and of the negative weights

so where that interval is within 2**24, no addition rounds, fused or not.  Where it is not, the weight is cut into parts
that add up to it and that are each within.  Integers that carry their offset already have zero for padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 2**24
"""Up to here float32 has every integer."""


def reach(weight: NDArray[np.int8], axes: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
    """The greatest magnitude that any partial sum can have.

    Args:
        weight: Integers.
        axes: Those that are summed over.
        low: Least factor of a weight, not above 0.
        high: Greatest factor of a weight, not below 0.

    Returns:
        The shape of `weight` without `axes`.
    """
    positive = np.maximum(weight, 0).sum(axis=axes, dtype=np.int64)
    negative = np.minimum(weight, 0).sum(axis=axes, dtype=np.int64)
    return np.asarray(np.maximum(high * positive + low * negative, -low * positive - high * negative))


def cut(weight: NDArray[np.int8], axes: tuple[int, ...], low: int, high: int) -> list[NDArray[np.int8]]:
    """Parts that add up to `weight`, the sums of each within `LIMIT`; arguments as of `reach`."""
    factor = max(high, -low)
    taps: NDArray[Any] = np.moveaxis(np.abs(weight.astype(np.int64)), axes, range(-len(axes), 0))
    kept = taps.shape[: -len(axes)]
    running = taps.reshape(*kept, -1).cumsum(axis=-1).reshape(taps.shape)
    part = np.moveaxis(running // (LIMIT // factor - 128), range(-len(axes), 0), axes)
    return [np.where(part == index, weight, np.int8(0)) for index in range(int(part.max()) + 1)]

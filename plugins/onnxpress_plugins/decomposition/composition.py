"""What a stack of convolutions does in place of one: its kernel, and how far its output is off on average.

Convolutions that share out the axes of one kernel between them compose to a kernel of that size,

    W'[o, i, a, b] = sum_r B[o, r, b] A[r, i, a]

and what the bias has to make good is the mean of the difference, which the means of all taps give exactly:

    b' = b + sum (W - W') mu
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


def composed(stages: Sequence[Array]) -> Array:
    """The kernel of a stack.

    Args:
        stages: Weights ``(outputs, inputs, *kernel)`` in the order in which data pass them; along every axis at most
            one kernel is larger than 1.

    Returns:
        ``(outputs of the last, inputs of the first, *kernel)``, in the widest type among them, float32 at least.
    """
    return reduce(_after, (stage.astype(np.result_type(stage, np.float32), copy=False) for stage in stages))


def mean_shift(weight: Array, stages: Sequence[Array], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """What must be added to the bias so that the stack gives on average what the layer gave, ``(outputs,)``.

    Args:
        weight: The layer's weight, ``(outputs, inputs, *kernel)``.
        stages: What takes its place, as `composed` takes it.
        mean: What each tap sees on average, ``(inputs, *kernel)``.
    """
    lost = weight.astype(np.float64) - composed(stages)
    return np.asarray(lost.reshape(len(lost), -1) @ mean.reshape(-1))


def _after(first: Array, second: Array) -> Array:
    kernel = first.ndim - 2
    joint = np.tensordot(second, first, axes=(1, 0))  # outputs, second's kernel, inputs, first's kernel
    order = [0, kernel + 1, *(axis for at in range(kernel) for axis in (at + 1, at + kernel + 2))]
    sizes = (one * other for one, other in zip(first.shape[2:], second.shape[2:], strict=True))
    return joint.transpose(order).reshape(second.shape[0], first.shape[1], *sizes)

"""The steps behind the numbers of a deploy file: scale = fl32(1 / scale_d), deq_scale = fl32(scale_d * scale_w).

Neither has one inverse in float32: several steps have the same reciprocal, and no float need have it at all.  Of those
with the right reciprocal, that one is taken for which most words of the layers are products of it and some scale of a
weight.  A file that was computed by the two formulas has such a step for all of its words, so nothing is lost; for
words that were rounded otherwise (AMCT's FORCE_FP16_QUANT) the nearest scale stands, one unit in the last place off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEAREST_FIRST = np.array([0, 1, -1, 2, -2, 3, -3], np.int32)
"""In units in the last place."""


def step_of(scale: np.float32, products: Sequence[NDArray[np.float32]], exact: Sequence[np.float32]) -> np.float32:
    """The step of a tensor.

    Args:
        scale: The reciprocal that AscendQuant has.
        products: The words of the layers on the tensor, each of shape ``(channels,)``.
        exact: Steps that the file says itself, those of poolings and of AscendAntiQuant.

    Returns:
        A positive float32; the nearest to ``1 / scale`` where several are as good.
    """
    nearest = np.float32(1) / scale
    around = _around(nearest)
    possible = around[np.float32(1) / around == scale]
    if not possible.size:
        possible = np.array([nearest])
    merits = [
        sum(int(weight_steps(step, words)[1].sum()) for words in products) + sum(step == said for said in exact)
        for step in possible
    ]
    return np.float32(possible[int(np.argmax(merits))])


def weight_steps(step: np.float32, deq_scale: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scales of a weight, and for which of them ``fl32(step * scale)`` is the word of the file.

    Args:
        step: Of the activation.
        deq_scale: Shape ``(channels,)``.

    Returns:
        Both of shape ``(channels,)``.
    """
    with np.errstate(over="ignore", under="ignore"):
        nearest = deq_scale / step
        around = _around(nearest)
        right = around * step == deq_scale
    chosen = np.take_along_axis(around, right.argmax(axis=0)[None], axis=0)[0]
    return chosen, right.any(axis=0)


def _around(numbers: np.float32 | NDArray[np.float32]) -> NDArray[np.float32]:
    """Every number and its neighbours, the nearest first; shape ``(7, ...)``."""
    bits = np.asarray(numbers, np.float32).view(np.int32)
    shifts = _NEAREST_FIRST.reshape([-1, *[1] * bits.ndim])
    shifted: NDArray[np.int32] = np.clip(bits + shifts, 0, np.float32(np.inf).view(np.int32)).astype(np.int32)
    return shifted.view(np.float32)

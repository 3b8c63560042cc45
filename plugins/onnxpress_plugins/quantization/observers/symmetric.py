"""Ranges whose offset is zero on a target of signed integers, whether or not it has offsets.

With *b* bits the integers go from ``-2**(b-1)`` to ``2**(b-1) - 1``.  AMCT lets the side of the larger magnitude decide
the step, ``|high| / (2**(b-1) - 1)`` or ``|low| / 2**(b-1)`` (``calculate_scale_offset`` in ``custom_op/utils.py`` of
``hicann/amct``).  The range of a step is what all its integers stand for, so that quantising it gives the step back,
and the offset 0.
"""

from __future__ import annotations


def negative_decides(low: float, high: float) -> bool:
    """Whether the larger magnitude is below zero."""
    return abs(high) < abs(low)


def of_step(step: float, bits: int) -> tuple[float, float]:
    """What the signed integers of `bits` stand for with `step` and offset 0."""
    half: int = 2 ** (bits - 1)
    return -half * step, (half - 1) * step


def around(low: float, high: float, bits: int) -> tuple[float, float]:
    """The symmetric range whose step AMCT chooses for values from `low` to `high`."""
    half: int = 2 ** (bits - 1)
    return of_step(max(abs(low), abs(high)) / (half if negative_decides(low, high) else half - 1), bits)

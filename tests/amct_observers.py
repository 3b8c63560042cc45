"""AMCT's observers as AMCT computes them, with every value in memory and a histogram of all of it.

Written from ``custom_op/ifmr/ifmr_impl.py``, ``custom_op/hfmg/hfmg_impl.py`` and ``custom_op/utils.py`` of
``hicann/amct``, loop by loop, in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from distributions import Sample

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def kth_extremes(data: Sample, percentile: float) -> tuple[float, float]:
    """The extremes that IFMR starts from."""
    rank = 1 if 1.0 - percentile < 1.192092896e-7 else data.size - int(percentile * data.size)
    ordered = np.sort(data.astype(np.float64))
    return min(0.0, float(ordered[rank - 1])), max(0.0, float(ordered[-rank]))


def ifmr_candidates(data: Sample, percentile: float, asymmetric: bool) -> tuple[Numbers, Numbers]:
    """The steps that IFMR tries and their mean squared errors."""
    low, high = kth_extremes(data, percentile)
    negative = not asymmetric and abs(high) < abs(low)
    if not asymmetric:
        high = max(abs(high), abs(low))
    ends = np.array([(0.7 + 0.01 * index) * high for index in range(math.ceil((1.3 - 0.7) / 0.01))])
    steps = (ends - low) / 255 if asymmetric else ends / (128 if negative else 127)
    losses = []
    for end, step in zip(ends, steps, strict=True):
        clipped = np.clip(data.astype(np.float64), low if asymmetric else -end, end)
        losses.append(float(np.mean((np.rint(clipped / step) * step - data) ** 2)))
    return steps, np.array(losses)


def hfmg_windows(counts: list[int]) -> list[tuple[int, int]]:
    """The windows that HFMG tries."""
    left, right = 0, len(counts) - 1
    step, least = max(math.ceil(sum(counts) / 100_000), 1), math.ceil(len(counts) / 4)
    found = []
    while right - left > least:
        new_left, new_right, left_sum, right_sum = left, right, 0, 0
        while new_left < new_right and left_sum < step:
            left_sum += counts[new_left]
            new_left += 1
        while new_left < new_right and right_sum < step:
            right_sum += counts[new_right]
            new_right -= 1
        if right - new_right >= new_left - left:
            right = new_right
        else:
            left = new_left
        found.append((left, right))
    return found


def hfmg_loss(counts: list[int], width: float, window: tuple[int, int]) -> float:
    """What a window of HFMG loses with 256 levels."""
    left, right = window
    level = width * (right - left + 1) / 256
    total = 0.0
    for index, count in enumerate(counts):
        begin, end = (index - left) * width, (index - left + 1) * width
        first = min(max(begin // level, 0.0), 255.0)
        last = min(max(end // level, 0.0), 255.0)
        density = count / width
        from_first, from_last = begin - first * level - level / 2, end - last * level - level / 2
        if first == last:
            total += _norm(from_first, end - first * level - level / 2, density)
        else:
            total += _norm(from_first, level / 2, density) + _norm(-level / 2, from_last, density)
            total += (last - first - 1) * _norm(-level / 2, level / 2, density)
    return total


def _norm(begin: float, end: float, density: float) -> float:
    return (end**3 - begin**3) / 3 * density

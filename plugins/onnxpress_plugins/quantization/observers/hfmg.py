"""HFMG, AMCT's observer: the window of a histogram whose levels lose the least.

The histogram has `num_of_bins` bins between the extremes, and values are spread evenly in each.  The window begins as
the whole and shrinks: from either end, how many bins hold one in 100,000 of the values?  The end that gives up more
bins moves (the upper one if equal), until a quarter of the bins is left.  Every window on the way is a candidate.  Its
width is cut into ``2**bits`` levels; a value goes to the centre of the level it falls in, or of the outermost, and

    loss = sum over the levels of the integral of density (x - centre)^2 dx

The window of the least loss, the first of equals, is the range.  Source: ``custom_op/hfmg/hfmg_impl.py`` of
``hicann/amct``, whose cubic terms are this integral.

AMCT merges a histogram per batch, which depends on the order of batches; here one histogram of twice the resolution
takes everything and is divided into `num_of_bins` at the end.  With the integrals of density, density x and density x^2
up to every edge, a candidate costs as many operations as there are levels.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidOption
from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram, HistogramTracker
from onnxpress_plugins.quantization.observers import symmetric
from onnxpress_plugins.quantization.observers.clipping import levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = (1024, 2048, 4096, 8192)
_SHARE = 100_000
_LEAST_PART = 4
_EPSILON = float(np.finfo(np.float32).eps)


def best_window(histogram: Histogram, *, bins: int, bits: int, asymmetric: bool) -> tuple[float, float]:
    """The range of least loss."""
    low, high = histogram.low, histogram.high
    if low < high:
        low, high = _searched(histogram, bins, 2**bits)
    return (low, high) if asymmetric or low > high else symmetric.around(low, high, bits)


def _searched(histogram: Histogram, bins: int, wanted: int) -> tuple[float, float]:
    masses = evenly(histogram, bins)
    found = windows(masses)
    width = (histogram.high - histogram.low) / bins
    loss = losses(masses, found, wanted)
    loss[(found[:, 1] - found[:, 0] + 1) * width / wanted < _EPSILON] = 0
    left, right = found[np.argmin(loss)]
    return histogram.low + float(left) * width, histogram.low + float(right + 1) * width


def evenly(histogram: Histogram, bins: int) -> NDArray[np.float64]:
    """The counts in `bins` bins of one width between the extremes, float64 [bins]."""
    counts = histogram.occupied()
    own = (np.arange(counts.size + 1) - histogram.below) * histogram.width
    reached = np.interp(
        np.linspace(histogram.low, histogram.high, bins + 1), own, np.concatenate([[0], np.cumsum(counts)])
    )
    reached[0], reached[-1] = 0, counts.sum()
    return np.diff(reached)


def windows(masses: NDArray[np.float64]) -> NDArray[np.int64]:
    """The candidates in the order in which the window shrinks: first and last bin of each, int64 [candidates, 2]."""
    reached = [0.0, *np.cumsum(masses).tolist()]
    step = max(math.ceil(reached[-1] / _SHARE), 1)
    left, right = 0, len(masses) - 1
    found = []
    while right - left > math.ceil(len(masses) / _LEAST_PART):
        further = min(max(bisect_left(reached, reached[left] + step), left + 1), right)
        nearer = right
        if further < right:
            nearer = max(min(bisect_right(reached, reached[right + 1] - step) - 2, right - 1), further)
        if right - nearer >= further - left:
            right = nearer
        else:
            left = further
        found.append((left, right))
    return np.array(found, np.int64)


def losses(masses: NDArray[np.float64], found: NDArray[np.int64], wanted: int) -> NDArray[np.float64]:
    """The loss of each window with so many levels, in bins squared, float64 [candidates]."""
    edges = np.arange(masses.size + 1, dtype=np.float64)
    powers = [np.concatenate([[0.0], np.cumsum(masses * np.diff(edges**n) / n)]) for n in (1, 2, 3)]
    begin, width = found[:, :1], (found[:, 1:] - found[:, :1] + 1) / wanted
    borders = begin + width * np.arange(1, wanted)
    at = np.minimum(borders.astype(np.int64), masses.size - 1)
    inside = []
    for n, whole in zip((1, 2, 3), powers, strict=True):
        reached = whole[at] + masses[at] * (borders**n - edges[at] ** n) / n
        inside.append(np.diff(reached, axis=1, prepend=0.0, append=whole[-1]))
    centres = begin + width * (np.arange(wanted) + 0.5)
    loss: NDArray[np.float64] = (inside[2] - 2 * centres * inside[1] + centres**2 * inside[0]).sum(axis=1)
    return loss


def _build(*, num_of_bins: int = 4096, asymmetric: bool = True, bits: int = 8) -> HistogramTracker:
    if num_of_bins not in BINS:
        raise InvalidOption(
            f"observer 'hfmg': num_of_bins must be {', '.join(map(str, BINS[:-1]))} or {BINS[-1]}, not {num_of_bins}"
        )
    levels("hfmg", bits)
    choose = partial(best_window, bins=num_of_bins, bits=bits, asymmetric=asymmetric)
    return HistogramTracker(choose, Histogram(2 * num_of_bins))


HFMG = Observer(name="hfmg", summary="AMCT's HFMG: the window of a histogram whose levels lose the least", build=_build)

"""Entropy: the range that keeps most of the distribution, in the sense of Kullback and Leibler.

Migacz, "8-bit inference with TensorRT" (GTC 2017), with both ends free.  For each candidate range

- P is the histogram inside, with everything outside added to the outermost bins: what clipping makes of the values;
- Q is the histogram inside, its bins pooled into as many groups as there are levels, and the sum of each group spread
  evenly over those of its bins that are not empty: what quantisation can still tell apart;

and the range with the least ``KL(P || Q) = sum p log(p / q)`` wins.  A range of fewer bins than levels loses nothing
by Q and is no candidate.  The two bins next to zero first get the counts of their neighbours (as in NVIDIA's
pytorch-quantization): the zeros of a ReLU are represented exactly and say nothing about the end.

With prefix sums of *c*, *c log c* and *c > 0* over the bins, a candidate costs as many operations as there are levels:

    KL = (sum c' log c' - sum_groups C' log(C / n)) / N + log(M / N)

where *c'* are the counts of P, *C*, *C'* the sums of a group in Q and P, *n* its bins that are not empty, *M* the
values inside and *N* all of them.

What counts is how often a value occurs, not how large it is.  Where rare large values carry the signal, as they do late
in networks with ReLU6, min-max and squared error keep more of it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram, HistogramTracker
from onnxpress_plugins.quantization.observers.clipping import levels, narrowest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_plugins.quantization.observers.clipping import Bins


def least_divergence(histogram: Histogram, *, levels: int) -> tuple[float, float]:
    """The range of least Kullback-Leibler divergence."""
    counts = _without_zeros(histogram)
    number, surprise, filled = (_prefix(terms) for terms in (counts, _xlogy(counts, counts), np.sign(counts)))
    groups = np.arange(levels + 1)
    zero, total = histogram.below, number[-1]

    def cost(below: Bins, above: Bins) -> NDArray[np.float64]:
        first, last = zero - below, zero + above
        edges = first[:, None] + (last - first)[:, None] * groups // levels
        inside, full = np.diff(number[edges]), np.diff(filled[edges])
        mean = np.divide(inside, full, out=np.zeros_like(inside), where=full > 0)
        p_log_p = surprise[last] - surprise[first]
        p_log_q = _xlogy(inside, mean).sum(axis=1)
        for edge, outside, group in ((first, number[first], 0), (last - 1, total - number[last], -1)):
            p_log_p += _xlogy(counts[edge] + outside, counts[edge] + outside) - _xlogy(counts[edge], counts[edge])
            p_log_q += _xlogy(outside, mean[:, group])
        kept = number[last] - number[first]
        divergence = (p_log_p - p_log_q) / total + np.log(np.maximum(kept, 1) / total)
        return np.where((last - first >= levels) & (kept > 0), divergence, np.inf)

    return narrowest(histogram, cost) if total else (histogram.low, histogram.high)


def _without_zeros(histogram: Histogram) -> NDArray[np.float64]:
    counts, zero = histogram.occupied().astype(np.float64), histogram.below
    if histogram.above > 1:
        counts[zero] = counts[zero + 1]
    if histogram.below > 1:
        counts[zero - 1] = counts[zero - 2]
    return counts


def _prefix(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(terms)])


def _xlogy(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """``x log y``, zero where *x* is zero, minus infinity where only *y* is."""
    with np.errstate(divide="ignore"):
        return np.multiply(x, np.log(y), out=np.zeros_like(x), where=x > 0)


def _build(*, bits: int = 8) -> HistogramTracker:
    return HistogramTracker(partial(least_divergence, levels=levels("entropy", bits)))


ENTROPY = Observer(name="entropy", summary="Least Kullback-Leibler divergence (TensorRT's method)", build=_build)

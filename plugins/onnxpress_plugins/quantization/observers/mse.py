"""Squared error: the range whose quantisation changes the values least in the mean square.

Every value goes to the nearest of the levels ``k step`` with ``step = (high - low) / (levels - 1)`` and *k* from
``-zero`` to ``levels - 1 - zero``, ``zero = round(-low / step)``; what lies beyond the outermost is clipped to it.
The error is the sum over the levels of ``(x - k step)^2`` for the values that go there (Banner et al. 2019,
arXiv:1810.05723, equation 2, on the histogram rather than on a density).  With prefix sums of *c*, *c x* and *c x^2*
over the bins, a candidate range costs as many operations as there are levels.

The two bins next to zero, which hold the zeros that a ReLU makes, count as zero; the others as their middle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram, HistogramTracker
from onnxpress_plugins.quantization.observers.clipping import levels, narrowest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_plugins.quantization.observers.clipping import Bins


def least_squares(histogram: Histogram, *, levels: int) -> tuple[float, float]:
    """The range of least squared error."""
    error = rounding_error(histogram, levels)

    def cost(below: Bins, above: Bins) -> NDArray[np.float64]:
        step = (below + above) / (levels - 1)
        return error(step, np.rint(below / step))

    return narrowest(histogram, cost)


def rounding_error(
    histogram: Histogram, levels: int
) -> Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
    """What rounding to `levels` levels costs: a function of steps, in bins, and of how many levels are below zero.

    Both are one number for each candidate; the function gives the sum of squared errors of each, in bins squared.
    """
    counts, values = histogram.occupied(), _middles(histogram)
    number, first, second = (np.concatenate([[0.0], np.cumsum(counts * values**power)]) for power in range(3))
    indices = np.arange(levels)

    def error(steps: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
        level = (indices - below[:, None]) * steps[:, None]
        edges = np.rint(level[:, 1:] - steps[:, None] / 2).astype(np.int64) + histogram.below
        edges = np.pad(edges.clip(0, counts.size), ((0, 0), (1, 1)), constant_values=(0, counts.size))
        inside = [np.diff(sums[edges]) for sums in (number, first, second)]
        errors: NDArray[np.float64] = (inside[2] - 2 * level * inside[1] + level**2 * inside[0]).sum(axis=1)
        return errors

    return error


def _middles(histogram: Histogram) -> NDArray[np.float64]:
    """What the values of each bin count as, in bin widths."""
    middles = np.arange(-histogram.below, histogram.above, dtype=np.float64) + 0.5
    return np.where(np.abs(middles) < 1, 0.0, middles)


def _build(*, bits: int = 8) -> HistogramTracker:
    return HistogramTracker(partial(least_squares, levels=levels("mse", bits)))


MSE = Observer(name="mse", summary="Least mean squared error of rounding and clipping", build=_build)

"""Percentile: cut the same small share of values off both ends (McKinstry et al. 2018, arXiv:1809.04191, section 3).

The central `percentile` percent of all values stay: with 99.99 the ends are the 0.005th and the 99.995th percentile.
Within a bin of the histogram values are taken to be spread evenly, so the ends are right to one bin, at most 1/2048 of
the largest magnitude.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from onnxpress.errors import InvalidOption
from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram, HistogramTracker


def central(histogram: Histogram, *, percentile: float) -> tuple[float, float]:
    """The range that holds the central `percentile` percent."""
    cut = (100 - percentile) / 200
    return quantile(histogram, cut), quantile(histogram, 1 - cut)


def quantile(histogram: Histogram, share: float) -> float:
    """The value below which a share of all values lies."""
    counts = histogram.occupied()
    reached = np.cumsum(counts)
    wanted = share * float(reached[-1])
    bin_ = int(np.searchsorted(reached, wanted))
    inside = 1 - (float(reached[bin_]) - wanted) / max(float(counts[bin_]), 1.0)
    value = (bin_ - histogram.below + inside) * histogram.width
    return min(max(value, histogram.low), histogram.high)


def _build(*, percentile: float = 99.99) -> HistogramTracker:
    if not 50 < percentile <= 100:
        raise InvalidOption(f"observer 'percentile': percentile must be above 50 and at most 100, not {percentile}")
    return HistogramTracker(partial(central, percentile=percentile))


PERCENTILE = Observer(name="percentile", summary="Cut the rarest values off both ends", build=_build)

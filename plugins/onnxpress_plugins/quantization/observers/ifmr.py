"""IFMR, AMCT's observer: the largest value, cut by a percentile, then scaled to the least squared error.

With *n* values the largest is the *k*-th from above, ``k = n - int(max_percentile n)``, the smallest likewise from
below, and both are widened to zero.  Candidates for the end are ``c * largest`` for *c* from `search_range_start` up
to `search_range_end` by `search_step`; each gives a step,

    asymmetric  step = (c largest - smallest) / 255       symmetric  step = c max(|smallest|, |largest|) / 127

(128 where the negative side is the larger), and the one with the least mean of ``(x - round(clip(x) / step) step)^2``
wins, the first of equals.  The smallest value is not searched.  Source: ``custom_op/ifmr/ifmr_impl.py`` of
``hicann/amct``, which keeps every value of every batch; here the extremes come from exact tails (`tails`) and the
errors from a histogram, so that memory does not grow.  Beyond the tails a percentile is right to one bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidOption
from onnxpress.kinds import Observer
from onnxpress_plugins.quantization.histogram import Histogram
from onnxpress_plugins.quantization.observers import symmetric
from onnxpress_plugins.quantization.observers.clipping import levels
from onnxpress_plugins.quantization.observers.mse import rounding_error
from onnxpress_plugins.quantization.observers.percentile import quantile
from onnxpress_plugins.quantization.observers.tails import Tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPSILON = float(np.finfo(np.float32).eps)


@dataclass(kw_only=True, eq=False)
class Ifmr:
    """The tracker; the options are those of `IFMR`."""

    max_percentile: float
    min_percentile: float
    ratios: NDArray[np.float64]
    asymmetric: bool
    bits: int
    histogram: Histogram = field(default_factory=Histogram)
    above: Tail = field(default_factory=Tail)
    below: Tail = field(default_factory=Tail)
    seen: int = 0

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample."""
        self.histogram.add(sample, low, high)
        self.seen += sample.size
        self.above.add(sample)
        if low < 0:
            self.below.add(-sample)

    def merge(self, other: Ifmr) -> None:
        """Take over what another has seen."""
        self.histogram.merge(other.histogram)
        self.seen += other.seen
        self.above.merge(other.above)
        self.below.merge(other.below)

    def range(self) -> tuple[float, float]:
        """The range of least error among the candidates."""
        low, high = self.histogram.low, self.histogram.high
        if not low < high:  # one value, or none
            return (low, high) if self.asymmetric or low > high else symmetric.around(low, high, self.bits)
        smallest, largest = self._extremes()
        if smallest == largest:
            return smallest, largest
        if self.asymmetric:
            ends = self.ratios * largest
            return smallest, float(ends[self._best((ends - smallest) / (2**self.bits - 1), smallest)])
        half = 2 ** (self.bits - 1)
        most = half if symmetric.negative_decides(smallest, largest) else half - 1
        steps = self.ratios * max(-smallest, largest) / most
        return symmetric.of_step(float(steps[self._best(steps, None, most)]), self.bits)

    def _extremes(self) -> tuple[float, float]:
        """Smallest and largest value that the percentiles leave, widened to zero."""
        ranks = [_rank(share, self.seen) for share in (self.min_percentile, self.max_percentile)]
        smallest, largest = self.below.largest(ranks[0]), self.above.largest(ranks[1])
        if smallest is None:
            smallest = -min(quantile(self.histogram, ranks[0] / self.seen), 0.0)
        if largest is None:
            largest = max(quantile(self.histogram, 1 - ranks[1] / self.seen), 0.0)
        return -smallest, largest

    def _best(self, steps: NDArray[np.float64], smallest: float | None, most: int = 0) -> int:
        """The position of the best of `steps`: from `smallest` on, or `most` on each side of zero."""
        below = np.full(steps.shape, float(most)) if smallest is None else -np.rint(smallest / steps)
        error = rounding_error(self.histogram, 2 * most + 1 if smallest is None else 2**self.bits)
        return int(np.argmin(error(steps / self.histogram.width, below)))


def _rank(share: float, number: int) -> int:
    """Which value from the end is the first that a percentile leaves."""
    return 1 if 1 - share < _EPSILON else number - int(share * number)


def _build(
    *,
    max_percentile: float = 0.999999,
    min_percentile: float = 0.999999,
    search_range_start: float = 0.7,
    search_range_end: float = 1.3,
    search_step: float = 0.01,
    asymmetric: bool = True,
    bits: int = 8,
) -> Ifmr:
    for name, share in (("max_percentile", max_percentile), ("min_percentile", min_percentile)):
        if not 0.5 < share <= 1:
            raise InvalidOption(f"observer 'ifmr': {name} must be above 0.5 and at most 1, not {share}")
    width = search_range_end - search_range_start
    if not (search_range_start > 0 and 0 < search_step <= width * (1 + 1e-9)):
        raise InvalidOption(
            "observer 'ifmr': the search must go from above 0 upwards in steps, "
            f"not from {search_range_start} to {search_range_end} by {search_step}"
        )
    levels("ifmr", bits)
    return Ifmr(
        max_percentile=max_percentile,
        min_percentile=min_percentile,
        ratios=search_range_start + search_step * np.arange(math.ceil(width / search_step), dtype=np.float64),
        asymmetric=asymmetric,
        bits=bits,
    )


IFMR = Observer(
    name="ifmr",
    summary="AMCT's IFMR: the largest value scaled, in steps, to the least squared error",
    build=_build,
)

"""Where to clip a histogram: the search that entropy and squared error share.

Zero is always inside, so a range is *below* bins under zero and *above* bins over it.  The search starts at the best
of a coarse grid of both, because a far outlier at one end can hide what there is to gain at the other.  From there each
end in turn goes to the best of many positions, until neither moves.  Of equal costs the wider range wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidOption

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_plugins.quantization.histogram import Histogram

    Bins = NDArray[np.int64]
    Cost = Callable[[Bins, Bins], NDArray[np.float64]]
    """Cost of ranges of so many bins below and above zero, both int64 [candidates]."""

COARSE, FINE = 8, 128
"""Steps from the whole histogram down to nothing."""


def narrowest(histogram: Histogram, cost: Cost) -> tuple[float, float]:
    """The range of least cost; an end at which nothing is clipped is the exact extreme."""
    below, above = _best(cost, *_grid(_inwards(histogram.below, 0, COARSE), _inwards(histogram.above, 1, COARSE)))
    lows, highs = _inwards(histogram.below, 0, FINE), _inwards(histogram.above, 1, FINE)
    start = None
    while start != (below, above):
        start = below, above
        _, above = _best(cost, *_grid(np.array([below]), np.union1d(highs, above)[::-1]))
        below, _ = _best(cost, *_grid(np.union1d(lows, below)[::-1], np.array([above])))
    low = histogram.low if below == histogram.below else 0.0 - below * histogram.width
    high = histogram.high if above == histogram.above else above * histogram.width
    return low, high


def levels(observer: str, bits: int) -> int:
    """How many integers `bits` give.

    Raises:
        InvalidOption: Not 2 to 12 bits, the widths for which a histogram is fine enough.
    """
    if not 2 <= bits <= 12:
        raise InvalidOption(f"observer {observer!r}: bits must be 2 to 12, not {bits}")
    return int(2**bits)


def _inwards(widest: int, narrowest: int, steps: int) -> Bins:
    return np.unique(np.linspace(narrowest, widest, steps + 1).round().astype(np.int64))[::-1]


def _grid(lows: Bins, highs: Bins) -> tuple[Bins, Bins]:
    """Every pair, the widest first."""
    return np.repeat(lows, highs.size), np.tile(highs, lows.size)


def _best(cost: Cost, lows: Bins, highs: Bins) -> tuple[int, int]:
    best = np.argmin(cost(lows, highs))
    return int(lows[best]), int(highs[best])

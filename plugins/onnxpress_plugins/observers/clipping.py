"""Where to clip a histogram: the search that entropy and squared error share.

Zero is always inside, so a range is ``below`` bins under zero and ``above`` bins over it.  One end is moved at a time,
through `STEPS` positions from the widest inwards, to where the cost is least; then the other; until neither moves.
Each move lowers the cost, and of equal costs the wider range is taken, so the search ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidOption

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_plugins.histogram import Histogram

    Bins = NDArray[np.int64]
    Cost = Callable[[Bins, Bins], NDArray[np.float64]]
    """Cost of ranges of so many bins below and above zero, both int64 [candidates]."""

STEPS = 128


def narrowest(histogram: Histogram, cost: Cost) -> tuple[float, float]:
    """The range of least cost; an end at which nothing is clipped is the exact extreme."""
    lows, highs = _inwards(histogram.below, 0), _inwards(histogram.above, 1)
    ends = histogram.below, histogram.above
    while True:
        above = highs[np.argmin(cost(np.full_like(highs, ends[0]), highs))]
        below = lows[np.argmin(cost(lows, np.full_like(lows, above)))]
        if (below, above) == ends:
            break
        ends = int(below), int(above)
    low = histogram.low if ends[0] == histogram.below else 0.0 - ends[0] * histogram.width
    high = histogram.high if ends[1] == histogram.above else ends[1] * histogram.width
    return low, high


def levels(observer: str, bits: int) -> int:
    """How many integers `bits` give.

    Raises:
        InvalidOption: Not 2 to 12 bits, the widths for which a histogram is fine enough.
    """
    if not 2 <= bits <= 12:
        raise InvalidOption(f"observer {observer!r}: bits must be 2 to 12, not {bits}")
    return int(2**bits)


def _inwards(widest: int, narrowest: int) -> Bins:
    return np.unique(np.linspace(narrowest, widest, STEPS + 1).round().astype(np.int64))[::-1]

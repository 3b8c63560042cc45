"""Min-max: the range is what was seen, exactly.  Nothing is clipped, and one outlier costs everyone resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from onnxpress.kinds import Observer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MinMax:
    """Keeps the smallest and the largest value."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample, of which only the extremes matter."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    def merge(self, other: MinMax) -> None:
        """Take over the extremes of another."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def range(self) -> tuple[float, float]:
        """Smallest and largest value seen."""
        return self.low, self.high


def _build() -> MinMax:
    return MinMax()


MIN_MAX = Observer(name="minmax", summary="Smallest and largest value seen; clips nothing", build=_build)

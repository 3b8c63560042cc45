"""Range of the largest magnitude, the same on both sides of zero, for hardware without zero points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.kinds import Observer


class AbsoluteMaximum:
    """Keeps one number per tensor, so memory does not grow, and merging in any order gives the same."""

    def __init__(self, margin: float) -> None:
        self.margin, self.largest = margin, 0.0

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample, of which only the extremes matter."""
        self.largest = max(self.largest, -low, high)

    def merge(self, other: AbsoluteMaximum) -> None:
        """Take over what another has seen."""
        self.largest = max(self.largest, other.largest)

    def range(self) -> tuple[float, float]:
        """The range to quantise."""
        limit = self.largest * (1 + self.margin)
        return -limit, limit


def _build(*, margin: float = 0.0) -> AbsoluteMaximum:
    return AbsoluteMaximum(margin)


ABSOLUTE_MAXIMUM = Observer(
    name="absolute-maximum", summary="Largest magnitude seen, on both sides of zero", build=_build
)

"""The outermost values that were seen, exactly, for quantiles far out.

A histogram knows a quantile to a bin, and where it samples it misses what is rare.  Of all values the `KEPT` largest
above zero and the `KEPT` smallest below it are kept, which no order and no split changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 4096


class Tail:
    """The largest values above zero."""

    def __init__(self) -> None:
        self._values: NDArray[np.float32] = np.empty(0, np.float32)

    def add(self, values: NDArray[np.float32]) -> None:
        """See `values`, of any shape."""
        least = self._values.min() if self._values.size == KEPT else np.float32(0)
        kept = np.concatenate([self._values, values[values > least]])
        self._values = kept if kept.size <= KEPT else np.partition(kept, kept.size - KEPT)[-KEPT:]

    def merge(self, other: Tail) -> None:
        """See what another has seen."""
        self.add(other._values)

    def largest(self, rank: int) -> float | None:
        """The value of which `rank` - 1 are larger, zero if it is not above zero; None when it was not kept."""
        if rank <= self._values.size:
            return float(np.sort(self._values)[-rank])
        return None if self._values.size == KEPT else 0.0

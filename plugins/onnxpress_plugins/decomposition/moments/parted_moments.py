"""Samples that a kernel is factored for, and others that its errors are measured on.

Of few samples a covariance knows few directions.  Factors made for these lose nothing of them, and much of the next
sample: EfficientNet-Lite0's last layer, factored for 32 photographs, claims 13% on them and errs by 36% on others.  So
every fourth sample, from the second one on, is kept apart, and errors are those of what the factors have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_plugins.decomposition.moments import patch_moments
from onnxpress_plugins.decomposition.moments.patch_moments import PatchMoments
from onnxpress_plugins.decomposition.moments.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_EVERY = 4


class PartedMoments:
    """The patches of one layer, for one choice of axes, in two parts; see `PatchMoments`.

    Attributes:
        seen: Of most samples.
        unseen: Of those that are kept apart.
    """

    def __init__(self, inputs: int, windows: Sequence[Window], first_axes: Sequence[int]) -> None:
        self.seen, self.unseen = (PatchMoments(inputs, windows, first_axes) for _ in range(2))
        self._runs = 0

    def add(self, data: Array) -> None:
        """Take what the layer sees in one run, ``(batch, inputs, *sizes)``."""
        part = self.unseen if self._runs % _EVERY == 1 else self.seen
        part.add(data)
        self._runs += 1


def bytes_needed(rows: int) -> int:
    """Memory that both take, by the rows of the covariance."""
    return 2 * patch_moments.bytes_needed(rows)

"""What each tap of a kernel sees on average, padding included: what the bias of a layer can make good.

All outputs count, and no patch is written out: the sum over the inputs that one tap sees falls apart into one sum for
each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_plugins.decomposition.moments.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


class TapMeans:
    """The means of one layer.

    Args:
        inputs: Input channels.
        windows: The axes of the kernel.
    """

    def __init__(self, inputs: int, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self._sums = np.zeros((inputs, *(window.kernel for window in windows)))
        self._outputs = 0

    def add(self, data: Array) -> None:
        """Take what the layer sees in one run, ``(batch, inputs, *sizes)``."""
        axes = list(zip(self._windows, data.shape[2:], strict=True))
        sums = data.sum(axis=0, dtype=np.float64)
        for window, size in axes:  # contracts the foremost place, appends the taps
            sums = np.tensordot(sums, window.sights(size), axes=(1, 1))
        self._sums += sums
        self._outputs += len(data) * prod(window.outputs(size) for window, size in axes)

    def mean(self) -> NDArray[np.float64]:
        """``(inputs, *kernel)``."""
        return self._sums / max(self._outputs, 1)

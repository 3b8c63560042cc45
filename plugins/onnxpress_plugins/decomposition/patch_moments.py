"""Mean and covariance of what the first of two convolutions sees, added up sample by sample.

The first convolution has some axes of the kernel.  A patch p of it is inputs x taps of those axes, n numbers, and the
second convolution adds one term for each tap s of the other axes, so that an error E of the whole kernel costs

    E_q |sum_s E_s (p_qs - mu_s)|^2  ~  sum_s tr(E_s S E_s^T)        S = mean over s of cov(p_s)

where correlation between the taps s is neglected: S is ``(n, n)`` and not as large as the whole patch.  Outputs at the
border see padding, whose zeros count.  A position of the other axes is seen through as many taps as reach it; its patch
is made once and counts so many times.  The mean, which a bias can make good, is that of every tap of the whole kernel.

Spaced outputs, dilation and any number of axes come with `windows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_plugins.decomposition.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_EXACT = 1536
"""Rows of a covariance up to which products of chunks are summed in float64; a larger one would take gigabytes."""

_CHUNK = 2**22
"""Numbers of patches that are held at a time."""


class PatchMoments:
    """The patches of one layer, for one choice of axes.

    Args:
        inputs: Input channels.
        windows: The axes of the kernel.
        first_axes: Which of them, counted from 0, the first convolution has.
    """

    def __init__(self, inputs: int, windows: Sequence[Window], first_axes: Sequence[int]) -> None:
        self._windows = tuple(windows)
        self._first = sorted(first_axes)
        self._rest = [axis for axis in range(len(windows)) if axis not in self._first]
        size = row_count(inputs, windows, first_axes)
        self._squares = np.zeros((size, size), _dtype(size))
        self._sums = np.zeros((inputs, *(window.kernel for window in windows)))
        self._outputs = 0

    def add(self, data: Array) -> None:
        """Take what the layer sees in one run, ``(batch, inputs, *sizes)``."""
        sizes = data.shape[2:]
        sights = [window.sights(size) for window, size in zip(self._windows, sizes, strict=True)]
        self._outputs += len(data) * prod(
            window.outputs(size) for window, size in zip(self._windows, sizes, strict=True)
        )
        means = data.sum(axis=0, dtype=np.float64)
        for sight in sights:  # contracts the foremost place, appends the taps
            means = np.tensordot(means, sight, axes=(1, 1))
        self._sums += means
        for rows in self._patches(data, sights):
            self._squares += rows @ rows.T  # one operand, which BLAS takes half the time for

    def mean(self) -> NDArray[np.float64]:
        """What each tap of the kernel sees on average, ``(inputs, *kernel)``."""
        return self._sums / max(self._outputs, 1)

    @property
    def count(self) -> int:
        """How many patches there were."""
        return self._outputs

    def covariance(self, *, centred: bool = True) -> Array:
        """S, ``(n, n)``, inputs varying slowest; about the mean, or else about zero."""
        total = max(self._outputs, 1) * prod(
            window.kernel for at, window in enumerate(self._windows) if at in self._rest
        )
        if not centred:
            return self._squares / total
        mean = self.mean().transpose([0, *(axis + 1 for axis in (*self._first, *self._rest))])
        taps = mean.reshape(len(self._squares), -1).astype(self._squares.dtype)
        return self._squares / total - taps @ taps.T / taps.shape[1]

    def _patches(self, data: Array, sights: Sequence[Array]) -> Iterator[Array]:
        """Patches as columns, each times the root of how often it is seen."""
        pads = [window.padding(size) if at in self._first else (0, 0) for at, window, size in self._places(data)]
        padded = np.pad(data, [(0, 0), (0, 0), *pads])
        taps = product(*(range(window.kernel) if at in self._first else [None] for at, window, _ in self._places(data)))
        views = [padded[(slice(None), slice(None), *self._seen(data, tap))] for tap in taps]
        weight = np.ones((), np.float32)
        for at, sight in enumerate(sights):
            seen = np.sqrt(sight.sum(axis=0)) if at in self._rest else np.ones(views[0].shape[at + 2])
            weight = np.multiply.outer(weight, seen.astype(weight.dtype))
        lines = views[0].shape[2]
        step = max(1, _CHUNK * lines // max(len(views) * views[0].size, 1))
        for start in range(0, lines, step):
            part = slice(start, start + step)
            stack = np.stack([view[:, :, part] for view in views], axis=2)
            rows = np.moveaxis(stack, 0, 2) * weight[part]
            yield rows.reshape(len(self._squares), -1)

    def _places(self, data: Array) -> Iterator[tuple[int, Window, int]]:
        yield from zip(range(len(self._windows)), self._windows, data.shape[2:], strict=True)

    def _seen(self, data: Array, tap: Sequence[int | None]) -> Iterator[slice]:
        for number, (_, window, size) in zip(tap, self._places(data), strict=True):
            yield slice(None) if number is None else window.tap(number, size)


def row_count(inputs: int, windows: Sequence[Window], first_axes: Sequence[int]) -> int:
    """Rows of the covariance."""
    return inputs * prod(windows[axis].kernel for axis in first_axes)


def bytes_needed(rows: int) -> int:
    """Memory that a covariance of so many rows takes."""
    return rows * rows * np.dtype(_dtype(rows)).itemsize


def _dtype(rows: int) -> type[np.float32] | type[np.float64]:
    return np.float64 if rows <= _EXACT else np.float32

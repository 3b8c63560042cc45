"""Covariance of what the first of two convolutions sees, added up sample by sample.

The first convolution has some axes of the kernel.  A patch p of it is inputs x taps of those axes, n numbers, and the
second convolution adds one term for each tap s of the other axes, so that an error E of the whole kernel costs

    E_q |sum_s E_s (p_qs - mu_s)|^2  ~  sum_s tr(E_s S E_s^T)        S = cov(p_s) over all outputs q and taps s

where correlation between the taps s is neglected: S is ``(n, n)`` and not as large as the whole patch.  Outputs at the
border see padding, whose zeros count.  A position of the other axes is seen through as many taps as reach it; its patch
is made once and counts so many times.

Images hold far more patches than S needs, which is some tens of n.  So the t-th sample gives N / t of its patches at
most, drawn evenly, and each of them counts for those that are left out: every sample weighs what it would anyway,
however many there are, and T of them cost N (1 + ln T) patches.

Products are of what is left of a patch less c, the mean of the first patches, so that a mean far larger than what moves
about it does not drown that in rounding.  Sums ride along: below such a column is a 1, and all is times the root of its
weight w,

    sum w [p-c 1][p-c 1]^T  =  [ P    s ]
                               [ s^T  W ]

from which follows the covariance about any a = c + d, of W patches and Z more that are zero and were not made:

    (W + Z) S  =  P - s d^T - d s^T + W d d^T + Z a a^T
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_plugins.decomposition.moments.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_PATCHES = 50
"""N: patches of the first sample, for each row of a covariance."""

_EXACT = 1536
"""Rows of a covariance up to which products are summed in float64; a larger one would take gigabytes."""

_WAITING = 2**19
"""Numbers of patches that wait for being multiplied together: many small products keep threads from their work."""


class PatchMoments:
    """The patches of one layer, for one choice of axes.

    Args:
        inputs: Input channels.
        windows: The axes of the kernel.
        first_axes: Which of them, counted from 0, the first convolution has.
    """

    def __init__(self, inputs: int, windows: Sequence[Window], first_axes: Sequence[int]) -> None:
        self._axes = [(window, axis in first_axes) for axis, window in enumerate(windows)]
        self._rows = row_count(inputs, windows, first_axes)
        self._products = np.zeros((self._rows + 1, self._rows + 1), _dtype(self._rows))
        self._waiting = np.empty((self._rows + 1, _width(self._rows)), np.float32)
        self._filled = self._samples = self._made = self._absent = 0
        self._shift: Array | None = None
        self.count = 0
        """How many patches were made."""

    def add(self, data: Array) -> None:
        """Take what the layer sees in one run, ``(batch, inputs, *sizes)``."""
        grid = _Grid(self._axes, data.shape[2:])
        for sample in data:
            self._samples += 1
            self._made += grid.weight
            self._absent += grid.total - grid.weight
            places = self._drawn(grid.count)
            self.count += len(places)
            roots = grid.roots(places)
            while len(places):
                free = self._waiting.shape[1] - self._filled
                self._take(self._shifted(grid.columns(sample, places[:free], roots[:free]), roots[:free]))
                places, roots = places[free:], roots[free:]

    def mean(self) -> Array:
        """Of patches, ``(n,)``."""
        _, sums, shift = self._parts()
        return np.asarray((sums + self._made * shift) / max(self._made + self._absent, 1))

    def covariance(self, *, centred: bool = True, about: Array | None = None) -> Array:
        """S, ``(n, n)``, inputs varying slowest; about the mean, or `about` in its place, or else about zero.

        It is not finite where squares of what was seen pass float32.
        """
        about = np.zeros(self._rows) if not centred else self.mean() if about is None else about
        products, sums, shift = self._parts()
        off = about - shift
        covariance = products - np.outer(off, sums - self._made * off).astype(products.dtype)
        covariance -= np.outer(sums, off)
        if self._absent:
            covariance += self._absent * np.outer(about, about)
        covariance /= max(self._made + self._absent, 1)
        return covariance

    def _parts(self) -> tuple[Array, Array, Array]:
        """P, s and c."""
        self._multiply()
        shift = np.zeros(self._rows) if self._shift is None else self._shift
        sums = self._products[:-1, -1].astype(np.float64)
        return self._products[:-1, :-1], sums, shift.astype(np.float64)

    def _shifted(self, columns: Array, roots: NDArray[np.float32]) -> Array:
        """Patches over ones, times the roots of their weights, less the mean of the first that there were."""
        if self._shift is None:
            self._shift = columns[:-1] @ roots / (roots @ roots)
        columns[:-1] -= np.outer(self._shift, roots)
        return columns

    def _drawn(self, count: int) -> NDArray[np.int64]:
        """Which of so many patches of a sample are made."""
        most = ceil(_PATCHES * self._rows / self._samples)
        if count <= most:
            return np.arange(count)
        return np.sort(np.random.default_rng(self._samples).choice(count, most, replace=False, shuffle=False))

    def _take(self, columns: Array) -> None:
        stop = self._filled + columns.shape[1]
        self._waiting[:, self._filled : stop] = columns
        self._filled = stop
        if stop == self._waiting.shape[1]:
            self._multiply()

    def _multiply(self) -> None:
        columns = self._waiting[:, : self._filled]
        with np.errstate(over="ignore", invalid="ignore"):
            self._products += columns @ columns.T  # one operand, which BLAS takes half the time for
        self._filled = 0


class _Grid:
    """The patches of a sample of one size: one for each output of the first axes and each input that the rest sees.

    Attributes:
        count: How many there are.
        weight: What they weigh together: a position of the rest counts for as many taps as reach it.
        total: The same with the patches that lie in the padding of the rest, which are zero.
    """

    def __init__(self, axes: Sequence[tuple[Window, bool]], sizes: Sequence[int]) -> None:
        self._axes = []
        self.total = 1
        for (window, is_first), size in zip(axes, sizes, strict=True):
            places = window.places(size)
            self.total *= places.shape[1] if is_first else places.size
            often = np.ones(places.shape[1])
            if not is_first:
                seen = window.sights(size).sum(axis=0)
                places = np.flatnonzero(seen)[None]
                often = seen[places[0]]
            self._axes.append((places, often, size))
        self.weight = prod(int(often.sum()) for _, often, _ in self._axes)
        self._shape = [len(often) for _, often, _ in self._axes]
        self.count = prod(self._shape)

    def roots(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """The roots of what some patches weigh that stand for all."""
        often = np.ones(len(numbers))
        for (_, seen, _), at in zip(self._axes, np.unravel_index(numbers, self._shape), strict=True):
            often *= seen[at]
        return np.asarray(np.sqrt(often * (self.weight / max(often.sum(), 1))), np.float32)

    def columns(self, sample: Array, numbers: NDArray[np.int64], roots: NDArray[np.float32]) -> Array:
        """Some patches as columns over ones, each times the root of its weight, ``(n + 1, patches)``."""
        count = len(numbers)
        index, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), np.bool_)
        for (places, _, size), at in zip(self._axes, np.unravel_index(numbers, self._shape), strict=True):
            own = places[:, at]
            index = (index[:, None] * size + own.clip(0, size - 1)).reshape(-1, count)
            inside = (inside[:, None] & (own >= 0) & (own < size)).reshape(-1, count)
        taken = np.take(sample.reshape(len(sample), -1), index, axis=1)
        return np.concatenate([(taken * (inside * roots)).reshape(-1, count), roots[None]])


def row_count(inputs: int, windows: Sequence[Window], first_axes: Sequence[int]) -> int:
    """Rows of the covariance."""
    return inputs * prod(windows[axis].kernel for axis in first_axes)


def bytes_needed(rows: int) -> int:
    """Memory that the moments of a layer take, by the rows of their covariance."""
    return rows * (rows * np.dtype(_dtype(rows)).itemsize + _width(rows) * 4)


def _dtype(rows: int) -> type[np.float32] | type[np.float64]:
    return np.float64 if rows <= _EXACT else np.float32


def _width(rows: int) -> int:
    """How many patches wait at most."""
    return max(_WAITING // rows, rows // 2)

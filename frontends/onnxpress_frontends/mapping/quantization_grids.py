"""The grids to which TensorFlow's simulated quantisation rounds, in numbers, computed in float32 as its kernels do.

A grid is ``(q - zero_point) * scale`` for integers ``low <= q <= high``.

*Fake quantisation* nudges a range until zero is on its grid (``fake_quant_ops_functor.h``; Jacob et al. 2018,
arXiv:1712.05877, section 3.1):

    scale = (max - min) / (high - low)       zero_point = clamp(round(low - min / scale), low, high)

*Quantize and dequantize* has zero point 0, and of the two ends of the range the one that needs the larger scale reaches
the end of the integers (``quantize_and_dequantize_op.h``).

A range of zero alone gives zero whatever is put in.  TensorFlow rounds ties up where ONNX rounds them to even, so a
number half way between two points of a grid may come out one step lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WIDEST = 16
"""Bits of the widest integers that QuantizeLinear takes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """One grid for a whole tensor, or one per channel.

    Attributes:
        scale: float32, positive, shape ``()`` or ``(channels,)``.
        zero_point: int64, the shape of `scale`.
        minimum: float32, the lowest number of the grid, the shape of `scale`.
        maximum: float32, the highest.
        dtype: Integers to hold it: ``uint8``, ``int8``, ``uint16`` or ``int16``.
        axis: The axis of the tensor that `scale` indexes, counted from the last, -1; None for one grid.
        offset: What is added to numbers of the grid, float32, the shape of `scale`; None for nothing.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]
    dtype: str
    axis: int | None = None
    offset: NDArray[np.float32] | None = None

    @property
    def saturates(self) -> bool:
        """Whether the integers of `dtype` end where the grid does, so that nothing must be clipped before."""
        limits = np.iinfo(self.dtype)
        ends = [(limit - self.zero_point).astype(np.float32) * self.scale for limit in (limits.min, limits.max)]
        return bool((ends[0] == self.minimum).all() and (ends[1] == self.maximum).all())


@dataclass(frozen=True, kw_only=True)
class CentredGrids:
    """The grids of QuantizeAndDequantizeV2, V3 and V4: of those with zero point 0, the finest that holds the data.

    Attributes:
        bits: Bits of the integers.
        signed: Whether there are integers on both sides of zero.
        narrow: Whether the lowest integer is minus the highest; means nothing when unsigned.
        half_up: Whether ties are rounded up, and not to even.
        axis: The axis of the tensor that has a grid for each index, counted from the last, -1; None for one grid.
        rank: Dimensions of the tensor; None where there is one grid.
    """

    bits: int
    signed: bool
    narrow: bool
    half_up: bool
    axis: int | None = None
    rank: int | None = None

    @property
    def others(self) -> tuple[int, ...] | None:
        """All axes but `axis`; None for all there are."""
        if self.axis is None or self.rank is None:
            return None
        return tuple(index for index in range(self.rank) if index != self.axis + self.rank)

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest integer."""
        if not self.signed:
            return 0, 2**self.bits - 1
        high = 2 ** (self.bits - 1) - 1
        return -high if self.narrow else -high - 1, high

    def of(self, minimum: ArrayLike, maximum: ArrayLike) -> Grid:
        """The grid for data in a known range, which ends where the integers do.

        Args:
            minimum: Lower end of the range, shape ``()`` or ``(channels,)``.
            maximum: Upper end.

        Raises:
            ValueError: An end is not finite, the lower is above the upper, no integer stands for a number in the range,
                or ONNX has no integers of so many bits.
        """
        if self.bits > WIDEST:
            raise ValueError(f"ONNX cannot quantise to {self.bits} bits")
        bottom, top = _ends(minimum, maximum)
        low, high = self.ends
        scale = top / np.float32(high)
        if low:
            scale = np.maximum(bottom / np.float32(low), scale)
        if (scale < 0).any():
            raise ValueError(f"its range ends at {_first(top[scale < 0])}, and its integers are not negative")
        return Grid(
            scale=np.where(scale == 0, np.float32(1), scale),
            zero_point=np.zeros(scale.shape, np.int64),
            minimum=np.float32(low) * scale,
            maximum=np.float32(high) * scale,
            dtype=("int" if self.signed else "uint") + ("8" if self.bits <= 8 else "16"),
            axis=self.axis,
        )


def nudged(minimum: ArrayLike, maximum: ArrayLike, *, bits: int, narrow: bool, axis: int | None = None) -> Grid:
    """The grid of FakeQuantWithMinMaxVars, FakeQuantWithMinMaxArgs and FakeQuantWithMinMaxVarsPerChannel.

    Args:
        minimum: Lower end of the range as the node gives it, shape ``()`` or ``(channels,)``.
        maximum: Upper end.
        bits: Attribute ``num_bits``, 2 to 16.
        narrow: Attribute ``narrow_range``: the lowest integer is 1, not 0.
        axis: The axis that the ends index, None for one range.

    Raises:
        ValueError: An end is not finite, or the lower is above the upper.
    """
    bottom, top = _ends(minimum, maximum)
    low, high = np.float32(narrow), np.float32(2**bits - 1)
    dead = bottom == top
    if dead[(bottom != 0)].any():
        raise ValueError(f"its range is {_first(bottom[dead])} alone, which only TensorFlow can divide by")
    scale = np.where(dead, np.float32(1), (top - bottom) / (high - low))
    if (scale < np.finfo(np.float32).tiny).any():
        raise ValueError("its range is too small to divide")
    zero_point = np.floor(np.clip(low - bottom / scale, low, high).astype(np.float64) + 0.5)
    offset = zero_point.astype(np.float32)
    return Grid(
        scale=scale,
        zero_point=zero_point.astype(np.int64),
        minimum=np.where(dead, np.float32(0), (low - offset) * scale),
        maximum=np.where(dead, np.float32(0), (high - offset) * scale),
        dtype="uint8" if bits <= 8 else "uint16",
        axis=axis,
    )


def stored(
    scale: ArrayLike, zero_point: ArrayLike, offset: ArrayLike | None, *, dtype: str, axis: int | None = None
) -> Grid:
    """The grid of numbers that are stored in integers, all the integers of `dtype`."""
    step, origin, limits = np.asarray(scale, np.float32), np.asarray(zero_point, np.int64), np.iinfo(dtype)
    return Grid(
        scale=step,
        zero_point=origin,
        minimum=(limits.min - origin).astype(np.float32) * step,
        maximum=(limits.max - origin).astype(np.float32) * step,
        dtype=dtype,
        axis=axis,
        offset=None if offset is None else np.asarray(offset, np.float32),
    )


def _ends(minimum: ArrayLike, maximum: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    bottom, top = np.asarray(minimum, np.float32), np.asarray(maximum, np.float32)
    if not (np.isfinite(bottom).all() and np.isfinite(top).all() and (bottom <= top).all()):
        raise ValueError(f"its range is {_first(bottom)} to {_first(top)}")
    return bottom, top


def _first(values: NDArray[Any]) -> float:
    return float(values.reshape(-1)[0])

"""The range that makes TensorFlow's FakeQuant round to a given grid.

FakeQuant is told a range and computes the grid from it, in float32 (``fake_quant_ops_functor.h``; Jacob et al. 2018,
arXiv:1712.05877, section 3.1), with ``low = 0``, or 1 when the range is narrow, and ``high = 2^bits - 1``:

    scale = (max - min) / (high - low)       zero_point = clamp(round(low - min / scale), low, high)

``min = (low - zero_point) * scale`` and ``max = (high - zero_point) * scale`` give the grid back but for rounding, so
the ends are moved by single units in the last place until the scale comes out to the last bit.  Where no float32
makes ``max - min`` such a number (one scale in 250, since ``high - low`` is no power of two) the nearest is taken, one
unit off.  The zero point is always the same.

FakeQuant rounds ties up, QuantizeLinear to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.layout.constants import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MOVES = [(longer, shorter) for shorter in (0, 1) for longer in (0, 1, -1, 2, -2, 3, -3)]
"""Units in the last place.  The longer end is at least half of the span, so that these reach every span nearby; the
shorter one moves for the sake of sums that are ties, and would all be rounded to even."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FakeRange:
    """What FakeQuantWithMinMaxVars, or its twin per channel, is told.

    Attributes:
        minimum: Float32 scalar, or one per channel.
        maximum: The same.
        bits: Its attribute ``num_bits``.
        narrow: Its attribute ``narrow_range``.
    """

    minimum: Floats
    maximum: Floats
    bits: int
    narrow: bool

    def nudged(self) -> tuple[Floats, NDArray[np.int64]]:
        """Scale, and zero point counted from 0, that TensorFlow computes from the range."""
        low, high = np.float32(self.narrow), np.float32(2**self.bits - 1)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            scale = np.asarray((self.maximum - self.minimum) / (high - low))
            zero_point = np.clip(low - self.minimum / scale, low, high)
        return scale, np.floor(np.nan_to_num(zero_point).astype(np.float64) + 0.5).astype(np.int64)


def fake_range(grid: Grid, *, narrow: bool = False) -> FakeRange | None:
    """The range of `grid`; None where FakeQuant has no such grid: wider than 16 bits, or beyond float32.

    Args:
        grid: The grid.
        narrow: The lowest integer is not used, as for weights that are symmetric around zero.
    """
    limits = np.iinfo(grid.zero_point.dtype)
    if limits.bits > 16:
        return None
    origin = grid.zero_point.astype(np.float64)
    below, above = limits.min + narrow - origin, limits.max - origin
    with np.errstate(over="ignore"):
        bottom, top = ((end * grid.scale).astype(np.float32) for end in (below, above))
    best: FakeRange | None = None
    for longer, shorter in _MOVES:
        made = FakeRange(
            minimum=_moved(bottom, np.where(-below >= above, longer, shorter)),
            maximum=_moved(top, np.where(above >= -below, longer, shorter)),
            bits=limits.bits,
            narrow=narrow,
        )
        best = made if best is None else _nearer(best, made, grid.scale)
    assert best is not None
    scale, zero_point = best.nudged()
    exact = np.abs(scale - grid.scale) <= np.spacing(grid.scale)
    same = zero_point + limits.min == grid.zero_point
    return best if bool(np.all(exact & same)) else None


def fake_quant(graph: Graph, tensor: Tensor, told: FakeRange, grid: Grid, name: str) -> Tensor:
    """Write FakeQuant behind `tensor`, which has its channels last where there is a range for each.

    The ends are constants of its own, so that they can be trained.
    """
    op = "FakeQuantWithMinMaxVarsPerChannel" if told.minimum.ndim else "FakeQuantWithMinMaxVars"
    ends = [
        Tensor(graph.add("Const", name=f"{name}/{what}", value=end, dtype=DType.FLOAT))
        for what, end in (("min", told.minimum), ("max", told.maximum))
    ]
    node = graph.add(op, tensor, *ends, name=f"{name}/FakeQuant", num_bits=told.bits, narrow_range=told.narrow)
    node.grid = grid
    return Tensor(node)


def _nearer(best: FakeRange, other: FakeRange, scale: Floats) -> FakeRange:
    """Of two ranges the one whose scale is nearer to `scale`, channel by channel; `best` where they tie."""
    better = np.abs(other.nudged()[0] - scale) < np.abs(best.nudged()[0] - scale)
    return FakeRange(
        minimum=np.where(better, other.minimum, best.minimum),
        maximum=np.where(better, other.maximum, best.maximum),
        bits=best.bits,
        narrow=best.narrow,
    )


def _moved(ends: Floats, steps: NDArray[Any]) -> Any:
    """Away from zero by so many units in the last place; zero stays."""
    with np.errstate(invalid="ignore"):
        return ends + np.where(ends == 0, 0, steps).astype(np.float32) * np.spacing(ends)

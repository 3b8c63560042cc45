"""Elements picked along an axis, some for each place of the result, and put together: their maximum, a weighted sum.

Pooling with any window and resampling with any filter are this, one axis after the other; it needs nothing of
TensorFlow but GatherV2, so sizes may be unknown and elements of any type.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.geometry.terms import Term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor


@dataclass(frozen=True, kw_only=True)
class Taps:
    """What each place along an axis looks at.

    Attributes:
        positions: int32 ``[places, taps]``, inside the axis.
        weights: What the elements count, of that shape; None: all the same.
    """

    positions: Term
    weights: Term | None = None


def gathered(call: Call, tensor: Tensor, place: int, positions: Term) -> Tensor:
    """`tensor` with the axis at `place` replaced by those of `positions`."""
    return call.emit("GatherV2", tensor, positions.tensor, call.const(place, DType.INT32))


def reduced(call: Call, tensor: Tensor, place: int, rank: int, taps: Taps, op: str) -> Tensor:
    """`tensor` with the axis at `place` replaced by its taps, put together.

    Args:
        call: The node.
        tensor: What is picked from.
        place: Its axis, in the order of memory.
        rank: Number of its axes.
        taps: What is picked.
        op: ``Max`` or ``Sum``.
    """
    picked = gathered(call, tensor, place, taps.positions)
    if taps.weights is not None:
        trailing = range(2, rank - place + 1)
        picked = call.emit("Mul", picked, taps.weights.to(tensor.dtype).at(*trailing).tensor)
    return call.emit(op, picked, call.const([place + 1], DType.INT32))

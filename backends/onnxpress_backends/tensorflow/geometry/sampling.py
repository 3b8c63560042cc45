"""Values of pictures at points that are only known when the model runs: elements picked, each with what it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.geometry.terms import Term, count, packed, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures, their channels last.

    Attributes:
        tensor: ``[pictures, *sizes, channels]``.
        sizes: Their spatial sizes.
        channels: Number of channels.
    """

    tensor: Tensor
    sizes: Sequence[Term]
    channels: Term

    def at(self, picture: Term, positions: Sequence[Term]) -> Tensor:
        """The elements at positions that are inside, the channels last.

        Args:
            picture: Which picture.
            positions: Where in it, along each axis; int32.  All of them are broadcast.
        """
        call = picture.call
        place = picture
        for size, position in zip(self.sizes, positions, strict=True):
            place = place * size + position
        rows = call.emit("Reshape", self.tensor, packed(call, [term(call, -1), self.channels]).tensor)
        return call.emit("GatherV2", rows, place.tensor, call.const(0, DType.INT32))


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Elements around points along one axis, the taps last.

    Attributes:
        positions: int32, inside the axis.
        weights: What they count; nothing where they stand for elements outside.
    """

    positions: Term
    weights: Term

    def along(self, *axes: int) -> Neighbours:
        """With axes of size 1 at these places, in rising order."""
        return Neighbours(positions=self.positions.at(*axes), weights=self.weights.at(*axes))


def linear(where: Term, size: Term) -> Neighbours:
    """The two elements around each coordinate; beyond the ends there is zero."""
    call = where.call
    below = where.floor()
    taps = below.at(-1) + count(call, term(call, 2)).to(where.dtype)
    weights = 1 - (taps - where.at(-1)).abs()
    return inside(taps, weights, size)


def inside(taps: Term, weights: Term, size: Term) -> Neighbours:
    """Taps (whole numbers, of a floating type) that count nothing outside an axis."""
    clipped = taps.clip(0, size.to(taps.dtype) - 1)
    return Neighbours(positions=clipped.to(DType.INT32), weights=clipped.equals(taps).where(weights, 0.0))


def weighted(call: Call, picked: Tensor, weights: Sequence[Term]) -> Tensor:
    """Picked elements times all weights, which have no axis of channels."""
    for each in weights:
        last = call.emit("ExpandDims", each.to(picked.dtype).tensor, call.const(-1, DType.INT32))
        picked = call.emit("Mul", picked, last)
    return picked

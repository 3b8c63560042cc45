"""RoiAlign and MaxRoiPool: parts of pictures brought to one size.

How many elements a bin of a region has is only known when the model runs: all bins get as many places as the largest,
and those that a smaller one does not have count nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.sampling import Neighbours, Pictures, linear, weighted
from onnxpress_backends.tensorflow.geometry.terms import Term, count, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The places in the bins of regions along one axis, ``[regions, bins, places]``.

    Attributes:
        looks: What each place looks at, its taps last.
        used: Whether the bin has the place; for all bins of a region alike, ``[regions, 1, places]``, or for each.
        number: How many places it has, ``[regions, 1]`` or ``[regions, bins]``.
    """

    looks: Neighbours
    used: Term
    number: Term


def roi_align(call: Call) -> Laid:
    """RoiAlign: the mean, or the maximum, of weighted elements around a grid of points in each bin."""
    kind = call.dtype(0)
    x1, y1, x2, y2 = _columns(call, call.cast(call.tensor(1), kind), 4)
    tall, broad = call.attribute("output_height", 1), call.attribute("output_width", 1)
    high, wide = sizes(call, 0)[2:]
    rows, columns = _points(call, y1, y2, tall, high), _points(call, x1, x2, broad, wide)
    picked = _picked(call, Term(call, call.cast(call.tensor(2), DType.INT32)), rows, columns)
    picked = weighted(call, picked, _spread(rows.looks.weights, columns.looks.weights))
    if call.attribute("mode", "avg") == "max":
        return Laid(_largest(call, picked, rows, columns), channels_last(4))
    picked = weighted(call, picked, _spread(rows.used.at(3), columns.used.at(3)))
    total = call.emit("Sum", picked, _places(call))
    shared = (rows.number * columns.number).least(1).at(2, 3)
    return Laid(call.emit("RealDiv", total, shared.tensor), channels_last(4))


def max_roi_pool(call: Call) -> Laid:
    """MaxRoiPool: the maximum of the elements in each bin; zero in those that have none."""
    picture, x1, y1, x2, y2 = _columns(call, call.tensor(1), 5)
    tall, broad = call.attribute("pooled_shape")
    high, wide = sizes(call, 0)[2:]
    rows, columns = _elements(call, y1, y2, tall, high), _elements(call, x1, x2, broad, wide)
    largest = _largest(call, _picked(call, picture.to(DType.INT32), rows, columns), rows, columns)
    some = (rows.number > 0).at(2, 3) & (columns.number > 0).at(1, 3)
    nothing = call.const(0, call.dtype(0))
    return Laid(call.emit("SelectV2", some.tensor, largest, nothing), channels_last(4))


def _columns(call: Call, regions: Tensor, number: int) -> list[Term]:
    node = call.emit_node("Unpack", regions, num=number, axis=1)
    return [Term(call, Tensor(node, index)) for index in range(number)]


def _points(call: Call, start: Term, end: Term, bins: int, size: Term) -> Bins:
    """A grid of points in each bin; all elements farther than one outside the picture are zero."""
    kind = start.dtype
    half = call.opset >= 16 and call.attribute("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale, offset = call.attribute("spatial_scale", 1.0), 0.5 if half else 0.0
    start, end = start * scale - offset, end * scale - offset
    length = end - start if half else (end - start).least(1)
    ratio = call.attribute("sampling_ratio", 0)
    width = (length / bins).at(1, 2)
    number = (width.ceil() if ratio <= 0 else width * 0 + ratio).least(0)
    most = number.reshape(-1).reduce("Max", 0).least(1).to(DType.INT32)
    steps, bin_ = count(call, most).to(kind).at(0, 1), count(call, term(call, bins)).to(kind).at(0, 2)
    where = start.at(1, 2) + bin_ * width + (steps + 0.5) * width / number.least(1)
    near = where.clip(-1, size.to(kind)).equals(where) & (number > 0)
    looks = linear(where.clip(0, size.to(kind) - 1), size)
    looks = Neighbours(positions=looks.positions, weights=near.at(3).where(looks.weights, 0))
    return Bins(looks=looks, used=steps < number.least(1), number=number.reshape(-1, 1))


def _elements(call: Call, start: Term, end: Term, bins: int, size: Term) -> Bins:
    """The elements of each bin, whose ends are rounded outwards."""
    kind = start.dtype
    scale = call.attribute("spatial_scale", 1.0)
    start, end = (start * scale + 0.5).floor(), (end * scale + 0.5).floor()
    width = ((end - start + 1).least(1) / bins).at(1)
    bin_ = count(call, term(call, bins)).to(kind).at(0)
    first = ((bin_ * width).floor() + start.at(1)).clip(0, size.to(kind))
    behind = (((bin_ + 1) * width).ceil() + start.at(1)).clip(0, size.to(kind))
    number = (behind - first).least(0)
    most = number.reshape(-1).reduce("Max", 0).least(1).to(DType.INT32)
    steps = count(call, most).to(kind).at(0, 1)
    places = (first.at(2) + steps).clip(0, size.to(kind) - 1)
    looks = Neighbours(positions=places.to(DType.INT32).at(3), weights=term(call, 1, kind).at(0, 1, 2, 3))
    return Bins(looks=looks, used=steps < number.at(2), number=number)


def _picked(call: Call, picture: Term, rows: Bins, columns: Bins) -> Tensor:
    """``[regions, bins, places, taps, bins, places, taps, channels]``, rows before columns."""
    _, channels, *spatial = sizes(call, 0)
    pictures = Pictures(tensor=call.tensor(0, channels_last(4)), sizes=spatial, channels=channels)
    return pictures.at(picture.at(1, 2, 3, 4, 5, 6), _spread(rows.looks.positions, columns.looks.positions))


def _spread(rows: Term, columns: Term) -> list[Term]:
    """Both broadcast against each other."""
    return [rows.at(4, 5, 6), columns.at(1, 2, 3)]


def _places(call: Call) -> Tensor:
    """The axes that go: places and taps."""
    return call.const([2, 3, 5, 6], DType.INT32)


def _largest(call: Call, picked: Tensor, rows: Bins, columns: Bins) -> Tensor:
    high, wide = _spread(rows.used.at(3), columns.used.at(3))
    never = call.const(float("-inf"), picked.dtype)
    return call.emit("Max", call.emit("SelectV2", (high & wide).at(7).tensor, picked, never), _places(call))


RULES: Mapping[str, Rule] = {
    "MaxRoiPool": max_roi_pool,
    "RoiAlign": roi_align,
}

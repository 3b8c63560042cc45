"""GridSample and AffineGrid: pictures read at any points, and the points of an affine map."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.resampling import cubic
from onnxpress_backends.tensorflow.geometry.sampling import Neighbours, Pictures, inside, weighted
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, packed, reshaped, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid

_CUBIC = -0.75
"""The parameter of the cubic kernel, that of PyTorch."""


def grid_sample(call: Call) -> Laid:
    """GridSample over any number of axes; coordinates stand in the grid with the last axis first."""
    rank = call.rank(0)
    spatial = sizes(call, 0)[2:]
    batch = count(call, sizes(call, 0)[0])
    axes = [_neighbours(call, where, size) for where, size in zip(_coordinates(call, spatial), spatial, strict=True)]
    spread = [each.along(*_others(axis, len(axes))) for axis, each in enumerate(axes)]
    kind = call.dtype(0)
    nearly = call.attribute("mode", "linear") == "nearest"
    wide = kind if nearly or kind == DType.DOUBLE else DType.FLOAT
    tensor = call.cast(call.tensor(0, channels_last(rank)), wide)
    pictures = Pictures(tensor=tensor, sizes=spatial, channels=sizes(call, 0)[1])
    picked = pictures.at(batch.at(*range(1, rank)), [each.positions for each in spread])
    picked = weighted(call, picked, [each.weights for each in spread])
    total = call.emit("Sum", picked, call.const(range(2, rank), DType.INT32))
    shape = [*sizes(call, 1)[:-1], pictures.channels]
    return Laid(reshaped(call, call.cast(total, kind), shape), channels_last(rank))


def _others(axis: int, rank: int) -> list[int]:
    """Where the taps of the other axes are: points are ``[pictures, points, taps of each axis]``."""
    return [2 + other for other in range(rank) if other != axis]


def _coordinates(call: Call, spatial: list[Term]) -> list[Term]:
    """For each spatial axis ``[pictures, points]``, in elements; -1 and 1 are the first and last edge, or centre."""
    grid = call.cast(call.tensor(1), DType.DOUBLE if call.dtype(1) == DType.DOUBLE else DType.FLOAT)
    rank = len(spatial)
    shape = packed(call, [sizes(call, 1)[0], term(call, -1), term(call, rank)]).tensor
    node = call.emit_node("Unpack", call.emit("Reshape", grid, shape), num=rank, axis=2)
    numbers = [Term(call, Tensor(node, rank - 1 - axis)) for axis in range(rank)]
    if call.attribute("align_corners", 0):
        return [(each + 1) / 2 * (size.to(each.dtype) - 1) for each, size in zip(numbers, spatial, strict=True)]
    return [((each + 1) * size.to(each.dtype) - 1) / 2 for each, size in zip(numbers, spatial, strict=True)]


def _neighbours(call: Call, where: Term, size: Term) -> Neighbours:
    """The taps of points along one axis: one, two or four."""
    mode = call.attribute("mode", "linear")
    if mode == "nearest":
        return _settled(call, where.round().at(-1), term(call, 1, where.dtype).at(0, 1, 2), size)
    below = where.floor()
    first, number = (-1, 4) if mode in ("cubic", "bicubic") else (0, 2)
    taps = below.at(-1) + (count(call, term(call, number)) + first).to(where.dtype)
    far = (taps - where.at(-1)).abs()
    return _settled(call, taps, cubic(far, _CUBIC) if number == 4 else 1 - far, size)


def _settled(call: Call, taps: Term, weights: Term, size: Term) -> Neighbours:
    """Taps beyond the ends: nothing, the end, or what stands there in the mirror."""
    mode = call.attribute("padding_mode", "zeros")
    if mode == "zeros":
        return inside(taps, weights, size)
    last = size.to(taps.dtype) - 1
    mirrored = _reflected(call, taps, last) if mode == "reflection" else taps
    return Neighbours(positions=mirrored.clip(0, last).to(DType.INT32), weights=weights)


def _reflected(call: Call, where: Term, last: Term) -> Term:
    """Mirrored at the centres of the first and last element, or at their outer edges."""
    edge = 0.0 if call.attribute("align_corners", 0) else 0.5
    span = (last + 2 * edge).least(1.0)
    return span - ((where + edge) % (span * 2) - span).abs() - edge


def affine_grid(call: Call) -> Tensor:
    """AffineGrid: every point of a picture of the size that is asked for, times the matrix."""
    theta = call.tensor(0)
    rank = call.sizes(1)[0] - 2
    wanted = given(call, 1).to(DType.INT32)
    spatial = [wanted[axis + 2] for axis in range(rank)]
    lines = [_line(call, size, theta.dtype) for size in spatial]
    columns = []
    for axis in [*reversed(range(rank)), None]:
        column = term(call, 1, theta.dtype).at(*range(rank))
        for other in range(rank):
            line = lines[other] if other == axis else lines[other] * 0 + 1
            column = column * line.at(*(place for place in range(rank) if place != other))
        columns.append(column.reshape(-1))
    points = packed(call, columns).tensor
    mapped = call.emit("BatchMatMulV2", theta, points)
    result = call.emit("Transpose", mapped, call.const([0, 2, 1], DType.INT32))
    return reshaped(call, result, [sizes(call, 0)[0], *spatial, term(call, rank)])


def _line(call: Call, size: Term, dtype: DType) -> Term:
    """Coordinates along an axis from -1 to 1: of the centres of the elements, the ends being centres or edges."""
    places, total = count(call, size).to(dtype), size.to(dtype)
    if call.attribute("align_corners", 0):
        return places * 2 / (total - 1).least(1) - 1
    return (places * 2 + 1) / total - 1


RULES: Mapping[str, Rule] = {
    "AffineGrid": affine_grid,
    "GridSample": grid_sample,
}

"""A constant with its grid becomes integers and a DequantizeLinear, laid out as its user wants it.

A constant that was quantised lies on its grid, so its integers are exact; they are signed and have zero point 0
wherever they fit, which is what integer kernels are fastest with.  A constant that was stored in integers keeps them.

Transposes and Reshapes on the way to a user are done to the integers.  Scales follow: every element knows the channel
it came from, and a layout in which these channels vary along one axis only has scales along that axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses
from onnxpress_frontends.finishing.substituting import Substitute
from onnxpress_frontends.mapping.quantization_grids import Grid
from onnxpress_frontends.mapping.weight_binding import laid_out

if TYPE_CHECKING:
    from onnxpress.kinds import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stored:
    """Integers in some layout.

    Attributes:
        integers: The constant.
        channels: For every element the index of its scale, the shape of `integers`.
        zero_point: By channel, the type of `integers`.
        grid: Where scale and offset of each channel are.
    """

    integers: Array
    channels: Array
    zero_point: Array
    grid: Grid

    def after(self, node: ir.Node) -> _Stored | None:
        """What `node` lays out, None when it does more, or the channels no longer vary along one axis."""
        integers, channels = laid_out(node, self.integers), laid_out(node, self.channels)
        if integers is None or channels is None:
            return None
        there = replace(self, integers=integers, channels=channels)
        return there if there.axis is not None or there.is_uniform else None

    @property
    def is_uniform(self) -> bool:
        """Whether one scale does for all."""
        return self.channels.size == 0 or bool((self.channels == self.channels.flat[0]).all())

    @property
    def axis(self) -> int | None:
        """The axis along which the channels vary, None when there is none."""
        for axis in range(self.channels.ndim):
            if (self.channels == _along(axis, self._first_lane(axis), self.channels.ndim)).all():
                return axis
        return None

    def dequantized(self, write: Substitute) -> ir.Value:
        """The constant as its user sees it."""
        axis = None if self.is_uniform else self.axis
        lane = self.channels.flat[0] if axis is None else self._first_lane(axis)
        scale, zero_point = self.grid.scale.reshape(-1)[lane], self.zero_point.reshape(-1)[lane]
        value = write.call("DequantizeLinear", self.integers, scale, zero_point, axis=axis)
        if self.grid.offset is None:
            return value
        offset = self.grid.offset.reshape(-1)[lane]
        return write.call("Add", value, offset if axis is None else _along(axis, offset, self.integers.ndim))

    def _first_lane(self, axis: int) -> Array:
        return self.channels[tuple(slice(None) if index == axis else 0 for index in range(self.channels.ndim))]


def store(node: ir.Node, grid: Grid) -> None:
    """Replace a carrier of `grid` on an initialiser, float numbers of the grid or integers, by a DequantizeLinear."""
    value = node.inputs[0]
    assert value is not None and value.const_value is not None
    numbers = value.const_value.numpy()
    if numbers.dtype == np.float32:
        steps = np.rint(numbers / _aligned(grid.scale, grid.axis, numbers.ndim)).astype(np.int32)
        integers, zero_points = _compact(steps, _aligned(grid.zero_point.astype(np.int32), grid.axis, numbers.ndim))
    else:
        integers, zero_points = numbers, grid.zero_point.astype(numbers.dtype)
    channels = _aligned(np.arange(grid.scale.size, dtype=np.int32).reshape(grid.scale.shape), grid.axis, numbers.ndim)
    stored = _Stored(
        integers=integers, channels=np.broadcast_to(channels, numbers.shape), zero_point=zero_points, grid=grid
    )
    _place(Substitute(node), node.graph, node.outputs[0], stored)
    _drop(node)


def _place(write: Substitute, graph: ir.Graph | None, value: ir.Value, stored: _Stored) -> None:
    """Give the users of `value` the constant, those that only lay it out anew the laid out one."""
    for user, _ in list(value.uses()):
        there = None if user.graph is not graph or user.outputs[0].is_graph_output() else stored.after(user)
        if there is not None:
            _place(write, graph, user.outputs[0], there)
            _drop(user)
    if value.uses() or value.is_graph_output():
        replace_uses(value, stored.dequantized(write))


def _drop(node: ir.Node) -> None:
    """Remove a node, and the initialisers that only it used."""
    graph, operands = node.graph, [value for value in node.inputs if value is not None]
    assert graph is not None
    graph.remove(node, safe=True)
    for value in operands:
        if value.is_initializer() and not value.uses():
            del graph.initializers[value.name or ""]


def _compact(steps: Array, zero_point: Array) -> tuple[Array, Array]:
    """Integers that stand for multiples `steps` of a scale, and their zero points, in the narrowest type that does."""
    for dtype in ("int8", "int16"):
        limits = np.iinfo(dtype)
        for shift in (zero_point * 0, zero_point + limits.min):
            shifted = steps + shift
            if shifted.size == 0 or (shifted.min() >= limits.min and shifted.max() <= limits.max):
                return shifted.astype(dtype), shift.astype(dtype)
    raise AssertionError("a grid has at most 65536 numbers")


def _aligned(values: Array, axis: int | None, rank: int) -> Array:
    """`values` by channel, so that they broadcast over a tensor."""
    return values if axis is None else _along(axis % rank, values, rank)


def _along(axis: int, lane: Array, rank: int) -> Array:
    return lane.reshape([-1 if index == axis else 1 for index in range(rank)])

"""A weight that is stored as integers in front of a DequantizeLinear, scaled by output channel.

    a_o * ((q - z) * s_o) = (q - z) * (a_o * s_o)

so the integers stay, and with them what training made of them, and only the scales change.  Scales are positive: where
``a_o`` is negative the integers change sides instead, to ``-q`` if all zero points are 0 and the type has room, or else
to ``~q`` with zero point ``~z``, for ``~z - ~q = q - z``.  A channel that is scaled to nothing holds its zero point
alone, with the scale it had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, give
from onnxpress.naming import Names, described
from onnxpress.quantize import SMALLEST_SCALE, dequantize
from onnxpress_plugins.folding.affine import Obstacle

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROLES = ("quantized", "scale", "zero_point")


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredWeight:
    """What a DequantizeLinear is given.

    Attributes:
        node: The DequantizeLinear.
        integers: The weight.
        scale: float32, shape ``()`` or ``(channels,)``.
        zero_point: The type of `integers`, the shape of `scale`.
        axis: The axis that `scale` indexes, counted from the first; None for one scale.
    """

    node: ir.Node
    integers: NDArray[Any]
    scale: NDArray[np.float32]
    zero_point: NDArray[Any]
    axis: int | None

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The weight that the integers stand for."""
        return dequantize(self.integers, self.scale, self.zero_point, axis=self.axis)

    def scaled(self, factors: NDArray[np.float64], axis: int) -> StoredWeight:
        """The weight with every channel along `axis` multiplied by its factor.

        Raises:
            Obstacle: Its scales belong to another axis, or would be infinite.
        """
        if self.axis not in (None, axis):
            raise Obstacle(f"{described(self.node)} has scales along axis {self.axis}, and axis {axis} is to be scaled")
        scale, zero_point = (np.broadcast_to(values, factors.shape) for values in (self.scale, self.zero_point))
        with np.errstate(over="ignore"):
            product = (scale * np.abs(factors)).astype(np.float32)
        if not np.isfinite(product).all():
            raise Obstacle(f"{described(self.node)} would get NaN or infinity in its scales")
        integers, zero_point = self._turned(factors < 0, zero_point, axis)
        gone = product < SMALLEST_SCALE
        integers = np.where(self._along(gone, axis), self._along(zero_point, axis), integers)
        return replace(self, integers=integers, scale=np.where(gone, scale, product), zero_point=zero_point, axis=axis)

    def store(self, user: ir.Node, index: int, names: Names) -> None:
        """Write it into the graph for `user`, which takes it as input `index`; other users keep what there was."""
        node = self.node
        if len(node.outputs[0].uses()) > 1:
            node = _copied(node, user, names)
            user.replace_input_with(index, node.outputs[0])
        for position, values in enumerate((self.integers, self.scale, self.zero_point)):
            give(node, position, values, names, wish=f"{node.outputs[0].name}_{_ROLES[position]}")
        node.attributes.pop("axis", None)
        if self.axis is not None:
            node.attributes.add(ir.AttrInt64("axis", self.axis))

    def _turned(
        self, turn: NDArray[np.bool_], zero_point: NDArray[Any], axis: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Integers and zero points with the channels of `turn` on the other side of zero."""
        there = self._along(turn, axis)
        lowest = np.iinfo(self.integers.dtype).min  # 0 in an unsigned type, which has no numbers on the other side
        if lowest and not zero_point.any() and not (there & (self.integers == lowest)).any():
            return np.where(there, -self.integers, self.integers), zero_point
        return np.where(there, ~self.integers, self.integers), np.where(turn, ~zero_point, zero_point)

    def _along(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        return values.reshape([-1 if index == axis else 1 for index in range(self.integers.ndim)])


def stored_weight(value: ir.Value | None) -> StoredWeight | None:
    """The constant behind a DequantizeLinear to float32, None when `value` is something else."""
    node = None if value is None else value.producer()
    if value is None or node is None or node.op_type != "DequantizeLinear" or node.domain != "":
        return None
    integers, scale = array(node.inputs[0]), array(node.inputs[1])
    given = len(node.inputs) > 2 and node.inputs[2] is not None
    if integers is None or scale is None or integers.dtype.kind not in "iu" or integers.dtype.itemsize > 2:
        return None
    zero_point = array(node.inputs[2]) if given else np.zeros(scale.shape, integers.dtype)
    if zero_point is None or scale.dtype != np.float32 or scale.ndim > 1 or value.is_graph_output():
        return None
    axis = node.attributes.get_int("axis", 1) % integers.ndim if scale.ndim and integers.ndim else None
    return StoredWeight(node=node, integers=integers, scale=scale, zero_point=zero_point, axis=axis)


def _copied(node: ir.Node, user: ir.Node, names: Names) -> ir.Node:
    name = names.fresh(f"{node.outputs[0].name}_folded")
    output = ir.Value(name=name, type=node.outputs[0].type, shape=node.outputs[0].shape)
    copy = ir.Node("", node.op_type, list(node.inputs), list(node.attributes.values()), outputs=[output], name=name)
    assert user.graph is not None
    user.graph.insert_before(user, copy)
    return copy

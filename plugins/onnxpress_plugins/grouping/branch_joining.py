"""Branches that do the same to different parts of the channels, replaced by one that does it to all of them.

``[v1; ...; vn]``, the values of all branches side by side along the channels, is

* x, if they are the parts of x, in order (`channel_parts`);
* ``f([a1; ...; an], ...)`` if every vi is ``f(ai, ...)`` and f treats every channel by itself (`channel_axes`);
  constants per channel are put side by side too;
* ``Conv([a1; ...; an], [W1; ...; Wn], group = g1 + ... + gn)`` if every vi is ``Conv(ai, Wi, group = gi)``.

The nodes of the first branch take over from those of the others.  Nothing changes until `Branches.merge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant, give
from onnxpress.naming import Names, described, title
from onnxpress.ranges import META_KEY
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.channel_axes import input_axes
from onnxpress_plugins.grouping.channel_parts import source
from onnxpress_plugins.grouping.grouped_convolutions import grouped

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = tuple[ir.Value | None, ...]
"""What stands at the same place in each branch."""


@dataclass(frozen=True, eq=False)
class Change:
    """What input `index` of `node`, which is in the first branch, becomes."""

    node: ir.Node
    index: int
    operand: ir.Value | NDArray[Any]


class Branches:
    """How the branches that make up a Concat are merged.

    Attributes:
        graph: The graph that they are in.
        nodes: The nodes of all branches, and those that cut the tensor for them.
    """

    def __init__(self, graph: ir.Graph | ir.Function | None) -> None:
        self.graph = graph
        self.nodes: dict[ir.Node, None] = {}
        self._joined: dict[tuple[Values, int], ir.Value] = {}
        self._changes: list[Change] = []
        self._groups: dict[ir.Node, int] = {}

    def join(self, values: Values, axis: int) -> ir.Value:
        """The value that will hold `values` side by side along `axis`.

        Raises:
            Obstacle: There is none, for the reason given.
        """
        if (values, axis) not in self._joined:
            nodes = self._makers(values)
            whole = source([value for value in values if value is not None], axis)
            self.nodes.update(dict.fromkeys(nodes))
            self._joined[values, axis] = whole or self._carry(nodes, axis)
        return self._joined[values, axis]

    @property
    def superseded(self) -> list[ir.Node]:
        """The nodes that have nothing to do once the branches are merged."""
        kept = {change.node for change in self._changes}
        return [node for node in self.nodes if node not in kept]

    def check(self, last: ir.Node) -> None:
        """Make sure that nothing but the branches and `last` uses what is computed in them.

        Raises:
            Obstacle: Something else does.
        """
        for value in (output for node in self.nodes for output in node.outputs):
            if value.is_graph_output():
                raise Obstacle(f"{value.name!r} is also an output of the graph")
            for use in value.uses():
                if use.node is not last and use.node not in self.nodes:
                    raise Obstacle(f"{value.name!r} is also used by {described(use.node)}")

    def merge(self, names: Names) -> None:
        """Let the first branch do the work of all; the others are left without users."""
        for change in self._changes:
            if isinstance(change.operand, ir.Value):
                change.node.replace_input_with(change.index, change.operand)
            else:
                give(change.node, change.index, change.operand, names, wish=f"{title(change.node)}_joined")
        for node, groups in self._groups.items():
            node.attributes.add(ir.AttrInt64("group", groups))
        for (values, _), value in self._joined.items():
            if value is values[0]:
                value.shape = None  # it has more channels now
                value.meta.pop(META_KEY, None)

    def _makers(self, values: Values) -> list[ir.Node]:
        makers = [value.producer() if value is not None else None for value in values]
        nodes = [node for node in makers if node is not None and node.graph is self.graph]
        first = values[0].name if values[0] is not None else ""
        if len(nodes) < len(values):
            raise Obstacle(f"{first!r}, or what corresponds to it in another branch, is not computed in this graph")
        if len({(node.op_type, node.domain) for node in nodes}) > 1:
            raise Obstacle(f"one branch has {described(nodes[0])} where another has {described(nodes[-1])}")
        return nodes

    def _carry(self, nodes: Sequence[ir.Node], axis: int) -> ir.Value:
        """Let the first of `nodes`, which do the same in each branch, do it to all channels."""
        first = nodes[0]
        if len(set(nodes)) < len(nodes):
            raise Obstacle(f"{described(first)} is in more than one branch")
        if first.op_type == "Conv" and first.domain == "":
            self._convolve(nodes, axis)
            return first.outputs[0]
        places = input_axes(first, axis)
        for node in nodes:
            if _attributes(node) != _attributes(first) or len(node.inputs) != len(first.inputs):
                raise Obstacle(f"{described(first)} and {described(node)} differ in their attributes or inputs")
            if input_axes(node, axis) != places:
                raise Obstacle(f"{described(first)} and {described(node)} take operands of different ranks")
        for index, place in enumerate(places[: len(first.inputs)]):
            values = tuple(node.inputs[index] for node in nodes)
            if place is None:
                _require_equal(values, first)
            elif all(constant(value) is not None for value in values):
                sizes = [_size(node.outputs[0], axis) for node in nodes]
                self._changes.append(Change(first, index, _side_by_side(values, place, sizes)))
            else:
                for node, value in zip(nodes, values, strict=True):
                    if _size(value, place) != _size(node.outputs[0], axis):
                        raise Obstacle(f"{described(node)} repeats an operand for every channel")
                self._changes.append(Change(first, index, self.join(values, place)))
        return first.outputs[0]

    def _convolve(self, nodes: Sequence[ir.Node], axis: int) -> None:
        first, whole = nodes[0], grouped(nodes)
        if axis != 1:
            raise Obstacle(f"axis {axis} of the output of {described(first)} is not its channels")
        self._changes.append(Change(first, 0, self.join(tuple(node.inputs[0] for node in nodes), 1)))
        self._changes.append(Change(first, 1, whole.weight))
        if whole.bias is not None:
            self._changes.append(Change(first, 2, whole.bias))
        self._groups[first] = whole.groups


def _attributes(node: ir.Node) -> dict[str, object]:
    return {name: attribute.value for name, attribute in node.attributes.items()}


def _size(value: ir.Value | None, axis: int) -> int:
    size = None if value is None or value.shape is None else value.shape[axis]
    if not isinstance(size, int):
        raise Obstacle(f"how many channels {'' if value is None else value.name!r} has is unknown")
    return size


def _require_equal(values: Values, node: ir.Node) -> None:
    arrays = [array(value) for value in values]
    if any(value is not values[0] for value in values):
        first = arrays[0]
        if first is None or any(other is None or not np.array_equal(other, first) for other in arrays):
            raise Obstacle(f"{described(node)} has other operands in another branch")


def _side_by_side(values: Values, axis: int, sizes: Sequence[int]) -> NDArray[Any]:
    """Constants per channel, or for all channels alike, put side by side for as many channels as there are in each."""
    arrays = [numbers for value in values if (numbers := array(value)) is not None]
    alike = zip(arrays, sizes, strict=True)
    return np.concatenate([np.repeat(a, size // a.shape[axis], axis) for a, size in alike], axis)

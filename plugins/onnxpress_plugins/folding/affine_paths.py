"""The linear layers behind and before a value, through operators that commute with a per-channel affine map.

Some carry the channels along (`carriers`); Concat (upstream) and Split (downstream) along the channels hand each part
of the map to another branch, which is how a grouped convolution is often written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnxpress.naming import described
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle
from onnxpress_plugins.folding.carriers import Condition, carried, carries, conditions
from onnxpress_plugins.folding.linear_layers import Layer, layer, mixes_borders


class NoLayer(Obstacle):
    """There is no linear layer that way."""


@dataclass(frozen=True)
class Reach:
    """All linear layers that together make, or together use, one value.

    Attributes:
        layers: Each with the first of the value's channels that it makes or uses.
        channels: Where the channels of the value are.
        conditions: What the path asks of an affine map.
        between: Values that change when the map is moved from the value into the layers.
    """

    layers: tuple[tuple[Layer, int], ...]
    channels: Channels
    conditions: tuple[Condition, ...] = ()
    between: tuple[ir.Value, ...] = ()

    def check(self, affine: Affine) -> None:
        """Raise the first `Obstacle` that `affine` meets."""
        for condition in self.conditions:
            if not condition.holds(affine):
                raise Obstacle(condition.obstacle)

    def parts(self, affine: Affine) -> Iterator[tuple[Layer, Affine]]:
        """Each layer with its part of `affine`, in channel order."""
        starts = [start for _, start in self.layers[1:]] + [self.channels.size]
        for (target, start), stop in zip(self.layers, starts, strict=True):
            yield target, affine.part(start, stop - start)


def upstream(value: ir.Value, graph: ir.Graph | None) -> Reach:
    """The layers whose outputs make up `value`; nothing else uses them.

    Raises:
        Obstacle: Something else uses a value on the way, or nothing linear makes it (`NoLayer`).
    """
    node = value.producer()
    if node is None or node.graph is not graph:
        raise NoLayer(f"its input {value.name!r} is not computed in this graph")
    found = layer(node)
    if found is None and not (_is(node, "Concat") or carries(node)):
        raise NoLayer(f"its input comes from {described(node)}")
    _require_single_use(value)
    if found is not None:
        reach = Reach(((found, 0),), found.outputs)
    elif _is(node, "Concat"):
        reach = _join([upstream(part, graph) for part in node.inputs if part is not None], node)
    else:
        reach = _through(node, upstream(_data(node), graph), down=True)
    return replace(reach, between=(*reach.between, value))


def downstream(value: ir.Value, graph: ir.Graph | None) -> Reach:
    """The layers that `value` is the data of; nothing else uses it.

    Raises:
        Obstacle: Something else uses a value on the way, or nothing linear uses it (`NoLayer`).
    """
    _require_single_use(value, NoLayer)
    node, index = next(iter(value.uses()))
    if node.graph is not graph or index != 0:
        raise NoLayer(f"its output goes to {described(node)}")
    found = layer(node)
    if found is not None:
        borders = f"{described(node)} pads its input with zeros, which a shift before it would miss"
        conditions = (Condition(lambda affine: not affine.shifts, borders),) if mixes_borders(node) else ()
        return Reach(((found, 0),), found.inputs, conditions, (value,))
    if _is(node, "Split"):
        reach = _join([downstream(part, graph) for part in node.outputs], node)
    elif carries(node):
        reach = _through(node, downstream(node.outputs[0], graph), down=False)
    else:
        raise NoLayer(f"its output goes to {described(node)}")
    return replace(reach, between=(*reach.between, value))


def _require_single_use(value: ir.Value, kind: type[Obstacle] = Obstacle) -> None:
    if value.is_graph_output():
        raise kind(f"{value.name!r} is also an output of the graph")
    if len(value.uses()) != 1:
        raise kind(f"{value.name!r} is used {len(value.uses())} times")


def _join(parts: Sequence[Reach], node: ir.Node) -> Reach:
    first = parts[0].channels
    axis = node.attributes.get_int("axis", 0)
    axis = axis if axis < 0 or first.rank is None else axis - first.rank
    if any((part.channels.axes, part.channels.rank) != ((axis,), first.rank) for part in parts):
        raise Obstacle(f"{described(node)} does not run along the channels")
    starts = np.cumsum([0, *(part.channels.size for part in parts)]).tolist()
    layers = [(each, start + at) for part, start in zip(parts, starts, strict=False) for each, at in part.layers]
    conditions = [condition for part in parts for condition in part.conditions]
    between = [value for part in parts for value in part.between]
    return Reach(tuple(layers), replace(first, sizes=(starts[-1],)), tuple(conditions), tuple(between))


def _through(node: ir.Node, reach: Reach, *, down: bool) -> Reach:
    channels = carried(node, reach.channels, down=down)
    return replace(reach, channels=channels, conditions=(*reach.conditions, *conditions(node)))


def _data(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    if value is None:
        raise NoLayer(f"{described(node)} has no input")
    return value


def _is(node: ir.Node, op_type: str) -> bool:
    return node.op_type == op_type and node.domain == ""

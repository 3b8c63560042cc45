"""Writing a graph in the orders that were chosen for its nodes.

Every tensor is written once in each arrangement that is demanded of it, a view that does so already is kept, and what
only differs in axes of size one is made of what has been transposed, not transposed again.  The outputs of the graph
stay what they were, by name, type and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress_plugins.constants import array, constant, give, initializer, remove
from onnxpress_plugins.layout.arrangement import Arrangement, Order, essence, plain
from onnxpress_plugins.layout.network import Network, Use
from onnxpress_plugins.layout.views import route, step
from onnxpress_plugins.naming import Names, title

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rewriting:
    """One graph, written anew where the order of a node, or the way to what it uses, is another.

    Attributes:
        demanded: The tensor that each use reads from now on.
        modified: Whether anything had to change.
    """

    def __init__(self, network: Network, names: Names) -> None:
        self.network, self.graph, self.names = network, network.graph, names
        self.demanded: dict[Use, ir.Value] = {}
        self.modified = False
        self._views = self._lasting_views()
        self._written: dict[ir.Value, dict[Arrangement, ir.Value]] = {}

    def write(self) -> bool:
        """Write all; returns whether anything had to change."""
        uses = [use for uses in self.network.uses.values() for use in uses]
        uses.sort(key=lambda use: use.seen.nodes)  # what is written for one is there for the next
        self.demanded = {use: self._demanded(use) for use in uses}
        shapes = [output.shape for output in self.graph.outputs]
        for use, value in self.demanded.items():
            if use.node is not None:
                self._connect(use, use.node, value)
        for node, order in self.network.orders.items():
            self._reform(node, order)
        self._lead_out({use.index: value for use, value in self.demanded.items() if use.node is None})
        for output, shape in zip(self.graph.outputs, shapes, strict=True):
            output.shape = shape
        if self.modified:
            self._sweep()
            self.graph.sort()
        return self.modified

    def _lasting_views(self) -> dict[tuple[ir.Value, Arrangement], ir.Value]:
        """The views that may stay, by tensor and arrangement: outputs of the graph first, then the most direct."""
        views: dict[tuple[ir.Value, Arrangement], ir.Value] = {}
        for value, seen in self.network.views.items():
            stored = self.network.stored(seen.origin, self.network.orders)
            if stored == plain(seen.origin.shape) and not self._is_idle(value):
                rival = views.setdefault((seen.origin, seen.arrangement), value)
                if self._rank(value) < self._rank(rival):
                    views[seen.origin, seen.arrangement] = value
        return views

    def _rank(self, view: ir.Value) -> tuple[bool, int]:
        return not view.is_graph_output(), self.network.views[view].nodes

    def _is_idle(self, view: ir.Value) -> bool:
        """Whether it is a Transpose that moves nothing, where a Reshape will do."""
        seen, node = self.network.views[view], view.producer()
        if node is None or node.op_type != "Transpose" or node.inputs[0] is None or seen.origin.shape is None:
            return False
        before = self.network.look(node.inputs[0]).arrangement
        same = essence(before) == essence(seen.arrangement)
        return same and len(route(before, seen.arrangement, seen.origin.shape)) == 1

    def _demanded(self, use: Use) -> ir.Value:
        """The tensor of `use` as it is demanded; a constant as it is now."""
        origin = use.seen.origin
        stored = self.network.stored(origin, self.network.orders)
        wanted = self.network.demanded(use, self.network.orders)
        written = self._written.setdefault(origin, {stored: origin})
        if constant(origin) is None and wanted not in written:
            self._arrange(origin, stored, wanted, written)
        return written.get(wanted, origin)

    def _arrange(
        self, origin: ir.Value, stored: Arrangement, wanted: Arrangement, written: dict[Arrangement, ir.Value]
    ) -> None:
        """Let `written` have `wanted`, by way of what it has already."""
        assert origin.shape is not None
        turned = [arrangement for arrangement in written if essence(arrangement) == essence(wanted)]
        given = turned[0] if turned else stored
        way = (given, *route(given, wanted, origin.shape))
        view = self._views.get((origin, wanted))
        if view is not None and self._is_short(view, written, 0 if turned else len(way) - 1):
            written[wanted] = view
            return
        for here, there in pairwise(way):
            if there not in written:
                written[there] = self._step(written[here], origin, here, there)

    def _is_short(self, view: ir.Value, written: dict[Arrangement, ir.Value], nodes: int) -> bool:
        """Whether `view` is made of what is written anyway, or by no more than so many `nodes`."""
        made = view.producer()
        assert made is not None
        return made.inputs[0] in written.values() or self.network.views[view].nodes <= nodes

    def _step(self, value: ir.Value, origin: ir.Value, given: Arrangement, wanted: Arrangement) -> ir.Value:
        assert origin.shape is not None
        operator, parameter, numbers = step(given, wanted, origin.shape)
        name = self.names.fresh(f"{origin.name}_{operator.lower()}")
        if operator == "Transpose":
            node = ir.node(operator, [value], {parameter: numbers}, name=name)
        else:
            operand = np.array(numbers, np.int64)
            node = ir.node(operator, [value, self._constant(f"{name}_{parameter}", operand)], name=name)
        self.graph.append(node)
        result = node.outputs[0]
        result.name, result.type = name, origin.type
        result.shape = ir.Shape([1 if axis is None else origin.shape[axis] for axis in wanted])
        result.meta.update(origin.meta)
        return result

    def _constant(self, wish: str, numbers: NDArray[Any]) -> ir.Value:
        return initializer(self.graph, self.names.fresh(wish), numbers)

    def _connect(self, use: Use, node: ir.Node, value: ir.Value) -> None:
        numbers = array(use.seen.origin)
        if numbers is not None:
            wanted = self.network.demanded(use, self.network.orders)
            if wanted != use.seen.arrangement:
                give(node, use.index, _arranged(numbers, wanted), self.names, wish=f"{title(node)}_operand")
                self.modified = True
        elif node.inputs[use.index] is not value:
            node.replace_input_with(use.index, value)
            self.modified = True

    def _reform(self, node: ir.Node, order: Order) -> None:
        """Write `node` itself for its order."""
        form = self.network.form(node, order)
        assert form is not None
        for name, number in form.attributes.items():
            written = ir.AttrInt64(name, number) if isinstance(number, int) else ir.AttrInt64s(name, number)
            node.attributes.add(written)
        for index, numbers in form.operands.items():
            self._give(node, index, numbers)
        for index, places in form.picked.items():
            self._pick(node, index, places)
        if form.result:
            self._measure(node, form.result)
        for value, axes in zip(node.outputs, form.outputs, strict=True):
            if value.shape is not None:
                value.shape = ir.Shape([value.shape[axis] for axis in axes])
        self.modified = True

    def _give(self, node: ir.Node, index: int, numbers: NDArray[Any]) -> None:
        old = array(node.inputs[index]) if index < len(node.inputs) else None
        if old is None or not np.array_equal(old, numbers):
            give(node, index, numbers, self.names, wish=f"{title(node)}_{index}")

    def _pick(self, node: ir.Node, index: int, places: Sequence[int]) -> None:
        """Let input `index` have the numbers at these places of what it has now."""
        value, numbers = node.inputs[index], array(node.inputs[index])
        if numbers is not None:
            self._give(node, index, numbers[list(places)])
        elif value is not None:
            name = self.names.fresh(f"{title(node)}_{index}")
            picking = ir.node("Gather", [value, self._constant(f"{name}_axes", np.array(places, np.int64))], name=name)
            self.graph.append(picking)
            picked = picking.outputs[0]
            picked.name, picked.type, picked.shape = name, value.type, value.shape
            node.replace_input_with(index, picked)

    def _measure(self, node: ir.Node, places: Sequence[int]) -> None:
        """Let `node`, a Shape, become the Gather that takes these sizes from another Shape."""
        name = self.names.fresh(f"{title(node)}_shape")
        measuring = ir.node("Shape", [node.inputs[0]], name=name)
        self.graph.append(measuring)
        sizes = measuring.outputs[0]
        sizes.name, sizes.type = name, node.outputs[0].type
        node.op_type = "Gather"
        node.attributes.clear()
        node.resize_inputs(2)
        node.replace_input_with(0, sizes)
        node.replace_input_with(1, self._constant(f"{name}_axes", np.array(places, np.int64)))

    def _lead_out(self, values: dict[int, ir.Value]) -> None:
        """Let each value be the output of the graph with that index, under the name that the output has."""
        renamed: dict[ir.Value, ir.Value] = {}
        for index, value in values.items():
            old = self.graph.outputs[index]
            if old is not value:
                renamed[old] = renamed.get(old) or self._take_over(old, value)
                self.graph.outputs[index] = renamed[old]
                self.modified = True

    def _take_over(self, old: ir.Value, new: ir.Value) -> ir.Value:
        """`new`, or an Identity of it where it has a name to keep, under the name of `old`."""
        maker = new.producer()
        if maker is None or maker.graph is not self.graph or new.is_graph_output():
            node = ir.node("Identity", [new], name=self.names.fresh(f"{old.name}_identity"))
            self.graph.append(node)
            new = node.outputs[0]
        name = old.name
        old.name = self.names.fresh(f"{name}_arranged")
        new.name, new.type = name, old.type
        return new

    def _sweep(self) -> None:
        for value in reversed(self.network.views):
            node = value.producer()
            if node is not None and not value.uses() and not value.is_graph_output():
                remove([node])


def _arranged(numbers: NDArray[Any], wanted: Arrangement) -> NDArray[Any]:
    axes = essence(plain(numbers.shape))
    dense = numbers.reshape([numbers.shape[axis] for axis in axes])
    turned = dense.transpose([axes.index(axis) for axis in essence(wanted)])
    return np.ascontiguousarray(turned.reshape([1 if axis is None else numbers.shape[axis] for axis in wanted]))

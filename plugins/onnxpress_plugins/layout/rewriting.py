"""Writing a graph in the orders that were chosen for its nodes.

Each node takes its tensors as it demands them (`arranging`) and is written in the form that goes with its order;
constants are laid out here and now.  The outputs of the graph stay what they were, by name, type and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant, give, initializer, remove
from onnxpress.naming import Names, title
from onnxpress_plugins.layout.arrangement import Arrangement, Order, essence, plain
from onnxpress_plugins.layout.arranging import Arranging
from onnxpress_plugins.layout.network import Network, Use

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

    def write(self) -> bool:
        """Write all; returns whether anything had to change."""
        uses = [use for value, uses in self.network.uses.items() for use in uses if use.node or not constant(value)]
        uses.sort(key=lambda use: use.seen.nodes)  # what is written for one is there for the next
        arranging = Arranging(self.network, self.names)
        self.demanded = {use: arranging.demanded(use) for use in uses}
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

    def _constant(self, wish: str, numbers: Sequence[int]) -> ir.Value:
        return initializer(self.graph, self.names.fresh(wish), np.array(numbers, np.int64))

    def _connect(self, use: Use, node: ir.Node, value: ir.Value) -> None:
        wanted = self.network.demanded(use, self.network.orders)
        if constant(use.seen.origin) is None:
            if node.inputs[use.index] is not value:
                node.replace_input_with(use.index, value)
                self.modified = True
        elif wanted != use.seen.arrangement and (numbers := array(use.seen.origin)) is not None:
            give(node, use.index, _arranged(numbers, wanted), self.names, wish=f"{title(node)}_operand")
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
            picking = ir.node("Gather", [value, self._constant(f"{name}_axes", places)], name=name)
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
        node.replace_input_with(1, self._constant(f"{name}_axes", places))

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

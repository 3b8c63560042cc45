"""Writing tensors as they are demanded: each once in every arrangement, by as few nodes as there can be.

A view that does so already is kept.  What only differs in axes of size one is made of what has been transposed, and not
transposed again.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx_ir as ir

from onnxpress.constants import constant, initializer
from onnxpress.naming import Names
from onnxpress_plugins.layout.arrangement import Arrangement, essence, plain
from onnxpress_plugins.layout.network import Network, Use
from onnxpress_plugins.layout.views import route, step


class Arranging:
    """The tensors of a network in the arrangements that are demanded of them; new nodes go to the end of the graph."""

    def __init__(self, network: Network, names: Names) -> None:
        self.network, self.names = network, names
        self._views = self._lasting_views()
        self._written: dict[ir.Value, dict[Arrangement, ir.Value]] = {}

    def demanded(self, use: Use) -> ir.Value:
        """The tensor of `use` as it is demanded; a constant as it is."""
        origin = use.seen.origin
        stored = self.network.stored(origin, self.network.orders)
        wanted = self.network.demanded(use, self.network.orders)
        written = self._written.setdefault(origin, {stored: origin})
        if constant(origin) is None and wanted not in written:
            self._arrange(origin, stored, wanted)
        return written.get(wanted, origin)

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

    def _arrange(self, origin: ir.Value, stored: Arrangement, wanted: Arrangement) -> None:
        """Write `origin` as `wanted`, by way of what is written already."""
        assert origin.shape is not None
        written = self._written[origin]
        turned = [arrangement for arrangement in written if essence(arrangement) == essence(wanted)]
        given = turned[0] if turned else stored
        way = (given, *route(given, wanted, origin.shape))
        view = self._views.get((origin, wanted))
        maker = None if view is None else view.producer()
        if view is not None and maker is not None:
            made_of = [written[arrangement] for arrangement in turned or written]
            direct = given == stored and self.network.views[view].nodes < len(way)
            if direct or maker.inputs[0] in made_of:
                written[wanted] = view
                return
        for here, there in pairwise(way):
            if there not in written:
                written[there] = self._step(written[here], origin, here, there)

    def _step(self, value: ir.Value, origin: ir.Value, given: Arrangement, wanted: Arrangement) -> ir.Value:
        assert origin.shape is not None
        graph = self.network.graph
        operator, parameter, numbers = step(given, wanted, origin.shape)
        name = self.names.fresh(f"{origin.name}_{operator.lower()}")
        if operator == "Transpose":
            node = ir.node(operator, [value], {parameter: numbers}, name=name)
        else:
            operand = initializer(graph, self.names.fresh(f"{name}_{parameter}"), np.array(numbers, np.int64))
            node = ir.node(operator, [value, operand], name=name)
        graph.append(node)
        result = node.outputs[0]
        result.name, result.type = name, origin.type
        result.shape = ir.Shape([1 if axis is None else origin.shape[axis] for axis in wanted])
        result.meta.update(origin.meta)
        return result

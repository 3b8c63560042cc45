"""A graph as a layout pass sees it: nodes that choose an order, and tensors that pass between them.

Nodes that only arrange axes (`views`) are no nodes here.  What remains reads tensors through them: a use is a node, an
input of it, and the arrangement in which it sees a tensor that another node has made.  Every node has an order, at
first that in which it is written; it takes its inputs and gives its outputs arranged by that order (`commuting`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir

from onnxpress.constants import constant
from onnxpress_plugins.layout.arrangement import Arrangement, Order, compose, plain
from onnxpress_plugins.layout.commuting import form
from onnxpress_plugins.layout.forms import Form
from onnxpress_plugins.layout.views import view

OPEN_SIZE = 2
"""What a size that is not known counts as: more than one."""

Orders: TypeAlias = Mapping[ir.Node, Order]


@dataclass(frozen=True)
class Seen:
    """A tensor as an arrangement of the tensor `origin`, by way of `nodes` views."""

    origin: ir.Value
    arrangement: Arrangement
    nodes: int = 0


@dataclass(frozen=True)
class Use:
    """Input `index` of `node` is `seen`; without a node, `index` is that of an output of the graph."""

    seen: Seen
    node: ir.Node | None
    index: int


class Network:
    """The tensors of one graph, who uses them, and the order chosen for every node that has a new one.

    Attributes:
        graph: The graph.
        orders: The chosen orders.
        views: What each value that a view makes is an arrangement of, in the order of the graph.
        uses: The uses of each tensor that is no view, constants too.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.orders: dict[ir.Node, Order] = {}
        self.views: dict[ir.Value, Seen] = {}
        self.uses: dict[ir.Value, list[Use]] = {}
        self._forms: dict[tuple[ir.Node, Order | None], Form | None] = {}
        for node in graph:
            self._add(node)
        for index, value in enumerate(graph.outputs):
            self._use(value, None, index)

    def _add(self, node: ir.Node) -> None:
        arrangement = view(node)
        if arrangement is not None and node.inputs[0] is not None:
            source = self.look(node.inputs[0])
            seen = Seen(source.origin, compose(arrangement, source.arrangement), source.nodes + 1)
            self.views[node.outputs[0]] = seen
        else:
            for index, value in enumerate(node.inputs):
                if value is not None:
                    self._use(value, node, index)
        for value in node.outputs:
            for captor, index in value.uses():
                if captor.graph is not self.graph:
                    self._use(value, captor, index)

    def _use(self, value: ir.Value, node: ir.Node | None, index: int) -> None:
        seen = self.look(value)
        self.uses.setdefault(seen.origin, []).append(Use(seen, node, index))

    def look(self, value: ir.Value) -> Seen:
        """What `value` is an arrangement of: another tensor, or itself."""
        return self.views.get(value) or Seen(value, plain(value.shape))

    def inputs(self, node: ir.Node) -> Iterator[Use]:
        """What `node` reads, constants left out."""
        for index, value in enumerate(node.inputs):
            if value is not None and constant((seen := self.look(value)).origin) is None:
                yield Use(seen, node, index)

    def form(self, node: ir.Node, order: Order | None) -> Form | None:
        """`node` written for `order`, None if that cannot be; a node of another graph has no order but its own."""
        if order is not None and node.graph is not self.graph:
            return None
        if (node, order) not in self._forms:
            self._forms[node, order] = form(node, order)
        return self._forms[node, order]

    def stored(self, value: ir.Value, orders: Orders) -> Arrangement:
        """How `value`, which is no view, is arranged when nodes have these orders."""
        maker = value.producer()
        order = None if maker is None else orders.get(maker)
        if maker is None or order is None:
            return plain(value.shape)
        made = self.form(maker, order)
        assert made is not None
        return compose(made.outputs[value.index() or 0], plain(value.shape))

    def demanded(self, use: Use, orders: Orders) -> Arrangement:
        """How `use` wants its tensor arranged when nodes have these orders."""
        order = None if use.node is None else orders.get(use.node)
        if use.node is None or order is None:
            return use.seen.arrangement
        made = self.form(use.node, order)
        assert made is not None
        return compose(made.inputs[use.index], use.seen.arrangement)

    def mismatches(self) -> Iterator[Use]:
        """The uses before which something has to be written; constants are arranged here and now instead."""
        for value, uses in self.uses.items():
            if constant(value) is None:
                stored = self.stored(value, self.orders)
                yield from (use for use in uses if self.demanded(use, self.orders) != stored)


def volume(value: ir.Value) -> int:
    """The bytes of a tensor."""
    size = value.dtype.itemsize if value.dtype is not None else 4
    return math.ceil(size * math.prod(size if isinstance(size, int) else OPEN_SIZE for size in value.shape or ()))

"""Which orders would let a tensor pass without being transposed.

The node on one side asks for the order in which nothing need be written between it and the other; its neighbours are
asked for the order that goes with that, and so on as far as operators commute and are not in that order already: who
makes what a node reads, who else reads it, and who reads what it makes.  The first to ask a node has its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

import onnx_ir as ir

from onnxpress_plugins.layout.arrangement import Arrangement, Order, essence, order_between, plain
from onnxpress_plugins.layout.network import Network, Use

Asked: TypeAlias = tuple[ir.Node, Order]


def proposals(network: Network, use: Use) -> Iterator[dict[ir.Node, Order]]:
    """The orders that would end the mismatch at `use`: those of the reader, then those of the maker."""
    value, orders = use.seen.origin, network.orders
    starts = (
        reader(network, use, network.stored(value, orders)),
        maker(network, value, network.demanded(use, orders)),
    )
    return (_spread(network, start) for start in starts if start is not None)


def maker(network: Network, value: ir.Value, wanted: Arrangement) -> Asked | None:
    """Who makes `value`, and the order in which nothing moves between it and `wanted`; None if it has no such form."""
    node, order = value.producer(), order_between(plain(value.shape), wanted)
    if node is None or network.form(node, order) is None:
        return None
    return (node, order) if essence(network.stored(value, {node: order})) == essence(wanted) else None


def reader(network: Network, use: Use, given: Arrangement) -> Asked | None:
    """The node of `use`, and the order in which nothing moves between `given` and it; None if it has no such form."""
    node, order = use.node, order_between(use.seen.arrangement, given)
    if node is None or network.form(node, order) is None:
        return None
    return (node, order) if essence(network.demanded(use, {node: order})) == essence(given) else None


def _spread(network: Network, start: Asked) -> dict[ir.Node, Order]:
    proposed: dict[ir.Node, Order] = {}
    queue = deque([start])
    while queue:
        node, order = queue.popleft()
        if node not in proposed and order != network.orders.get(node, tuple(range(len(order)))):
            proposed[node] = order
            queue.extend(_neighbours(network, node, proposed))
    return proposed


def _neighbours(network: Network, node: ir.Node, proposed: dict[ir.Node, Order]) -> Iterator[Asked]:
    tensors = [(value, network.stored(value, proposed)) for value in node.outputs if value in network.uses]
    tensors += [(use.seen.origin, network.demanded(use, proposed)) for use in network.inputs(node)]
    for value, arrangement in tensors:
        readers = (reader(network, use, arrangement) for use in network.uses[value])
        yield from (asked for asked in (maker(network, value, arrangement), *readers) if asked is not None)

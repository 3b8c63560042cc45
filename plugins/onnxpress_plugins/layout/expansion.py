"""Choosing the orders of nodes so that the least is transposed.

A tensor that is not stored as somebody demands it has to be written as demanded: that costs the bytes of the tensor if
anything moves, and one for the node.  Equal demands on one tensor are paid for once.

Who of the nodes that a proposal asks (`proposals`) should follow it is a question of two labels a node, stay or follow,
and a minimum cut answers it for all of them at once: the expansion move of Y. Boykov, O. Veksler and R. Zabih, Fast
approximate energy minimization via graph cuts, 2001.  Moves are made until none lowers the cost; as it is a whole
number, they end.

An arrangement is written if *any* of several nodes demand it, so a node of its own stands in the cut for that *any*,
tied to them by arcs that cannot be cut.  Where asked nodes disagree, no cut can tell the cost exactly; then it is
overestimated, though never for the orders that there are, so that a move is still no change for the worse.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir

from onnxpress_plugins.layout.arrangement import Arrangement, Order, essence
from onnxpress_plugins.layout.min_cut import FlowNetwork
from onnxpress_plugins.layout.network import Network, volume
from onnxpress_plugins.layout.proposals import proposals

STAY, FOLLOW = "stay", "follow"
_Flow: TypeAlias = FlowNetwork[Hashable]


def settle(network: Network) -> None:
    """Choose orders until no move lowers the cost."""
    moved = True
    while moved:
        moved = False
        for use in list(network.mismatches()):
            for proposal in proposals(network, use):
                moved |= _move(network, proposal)


def _move(network: Network, proposal: Mapping[ir.Node, Order]) -> bool:
    """Let those nodes follow the proposal for which it pays."""
    flow = FlowNetwork[Hashable](STAY, FOLLOW)
    for bill in _bills(network, proposal):
        _charge(flow, bill)
    followers = flow.cut()
    network.orders.update((node, order) for node, order in proposal.items() if node in followers)
    return bool(followers)


@dataclass(frozen=True, kw_only=True)
class _Bill:
    """What the arrangements of one tensor may cost.

    Attributes:
        title: Tells it from all others.
        price: The cost of each arrangement that is demanded and not stored.
        maker: The node that makes the tensor, if it is asked.
        stored: The arrangements it gives, staying and following.
        demands: Everyone who reads the tensor, and what they demand, staying and following.
    """

    title: Hashable
    price: int
    maker: ir.Node | None
    stored: tuple[Arrangement, Arrangement]
    demands: Sequence[tuple[ir.Node | None, Arrangement, Arrangement]]


def _bills(network: Network, proposal: Mapping[ir.Node, Order]) -> Iterator[_Bill]:
    """One for the nodes to be written for each tensor that is touched, and one for the bytes they move."""
    after = {**network.orders, **proposal}
    touched = [value for node in proposal for value in node.outputs if value in network.uses]
    touched += [use.seen.origin for node in proposal for use in network.inputs(node)]
    for value in dict.fromkeys(touched):
        maker = value.producer()
        old, new = network.stored(value, network.orders), network.stored(value, after)
        demands = [
            (use.node, network.demanded(use, network.orders), network.demanded(use, after))
            for use in network.uses[value]
        ]
        moves = [(node, essence(one), essence(other)) for node, one, other in demands]
        asked = maker if maker in proposal else None
        yield _Bill(title=(value, "nodes"), price=1, maker=asked, stored=(old, new), demands=demands)
        essences = essence(old), essence(new)
        yield _Bill(title=(value, "bytes"), price=volume(value), maker=asked, stored=essences, demands=moves)


def _charge(flow: _Flow, bill: _Bill) -> None:
    """Add a bill to the cut: sides are labels, the source's side stays and the sink's follows."""
    for wanted in dict.fromkeys(arrangement for _, *both in bill.demands for arrangement in both):
        stay, follow = (bill.price * (stored != wanted) for stored in bill.stored)
        joining = [node for node, _, new in bill.demands if new == wanted]
        leaving = [node for node, old, _ in bill.demands if old == wanted]
        if any(old == wanted == new for _, old, new in bill.demands):
            if bill.maker is not None:
                flow.add(bill.maker, FOLLOW, stay)
                flow.add(STAY, bill.maker, follow)
            continue
        anyone = (bill.title, wanted, "joins")
        if joining:
            flow.add(STAY, anyone, follow)
            if bill.maker is not None:
                flow.add(bill.maker, anyone, stay - follow)
        for node in joining:
            flow.add(anyone, node, math.inf)
        anyone = (bill.title, wanted, "is left")
        if leaving:
            flow.add(anyone, FOLLOW, stay)
            if bill.maker is not None:
                flow.add(anyone, bill.maker, follow - stay)
        for node in leaving:
            flow.add(node, anyone, math.inf)

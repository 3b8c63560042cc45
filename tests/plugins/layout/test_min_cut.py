"""Minimum cuts against all cuts there are."""

from __future__ import annotations

import math
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from onnxpress_plugins.layout.min_cut import FlowNetwork

NODES = ("s", "a", "b", "c", "d", "t")
Arcs = list[tuple[str, str, float]]


def price(arcs: Arcs, sink_side: set[str]) -> float:
    return sum(capacity for start, end, capacity in arcs if start not in sink_side and end in sink_side)


@given(
    st.lists(
        st.tuples(st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from([1.0, 2.0, 5.0, math.inf])),
        max_size=14,
    )
)
def test_the_cheapest_cut_and_of_several_the_smallest(arcs: Arcs) -> None:
    network = FlowNetwork("s", "t")
    arcs = [arc for arc in arcs if arc[0] != arc[1] and not (arc[:2] == ("s", "t") and arc[2] == math.inf)]
    for arc in arcs:
        network.add(*arc)
    sides = [
        {node for node, taken in zip(NODES[1:-1], choice, strict=True) if taken} for choice in product([0, 1], repeat=4)
    ]
    best = min(price(arcs, {*side, "t"}) for side in sides)
    if best < math.inf:
        cut = network.cut()
        assert price(arcs, {*cut, "t"}) == best
        assert all(cut <= side for side in sides if price(arcs, {*side, "t"}) == best)


def test_a_network_without_arcs_is_cut_already() -> None:
    assert FlowNetwork("s", "t").cut() == set()

"""Stacks that are quick enough, or of the ranks that the user gives; each with its time."""

from __future__ import annotations

from typing import Any

import pytest

from calibrated import graph, numbers
from onnxpress.errors import InvalidOption
from onnxpress_plugins.decomposition.prospects import Prospect, Search, prospect
from onnxpress_plugins.decomposition.ranks.given_ranks import GivenRanks
from onnxpress_plugins.decomposition.speed.latency import Modelled, jobs_of
from onnxpress_plugins.decomposition.speed.nominal_sizes import nominal_sizes
from onnxpress_plugins.decomposition.ways import Way

MODEL = graph("y = Conv<pads = [1, 1, 1, 1]>(x, w)", x="float[N,64,16,16] x", w=numbers(96, 64, 3, 3))


def found(**changed: Any) -> Prospect:
    options: dict[str, Any] = {
        "form": "spatial",
        "rule": None,
        "step": 16,
        "share": 0.9,
        "ranks": GivenRanks(),
        "clock": Modelled(),
    }
    return prospect(MODEL.graph[0], Search(**{**options, **changed}, sizes=nominal_sizes(MODEL)))


def test_stacks_take_their_share_of_the_time_at_most() -> None:
    own = found(share=0.5)
    assert set(own.stacks) == {Way("spatial", (0,)), Way("spatial", (1,))}
    for stacks in own.stacks.values():
        assert all(seconds <= 0.5 * own.seconds for seconds in stacks.values())
    (first, *_), ranks = own.stacks.values(), [stack.ranks for stack in next(iter(own.stacks.values()))]
    assert ranks == [(16 * number,) for number in range(1, len(ranks) + 1)]
    assert len(first) < len(next(iter(found(share=0.9).stacks.values())))


def test_without_a_share_all_ranks_are_there_and_the_full_one() -> None:
    (stacks,) = found(share=None, step=50, form="channel").stacks.values()
    assert [stack.ranks for stack in stacks] == [(50,), (96,)]


def test_ways_without_a_stack_are_not_there() -> None:
    assert found(share=0.01).stacks == {}


def test_ranks_that_are_given_are_the_only_ones_and_need_save_nothing() -> None:
    own = found(ranks=GivenRanks(["*: 3", "y: 192"]), share=0.01)
    assert own.is_given and {stack.ranks for stacks in own.stacks.values() for stack in stacks} == {(192,)}


def test_a_rule_parts_kernels_in_its_own_way_unless_ranks_are_given() -> None:
    assert set(found(rule=lambda _: (Way("channel", (0, 1)),)).stacks) == {Way("channel", (0, 1))}
    assert set(found(rule=lambda _: (), ranks=GivenRanks(["y: 9"])).stacks) == {
        Way("spatial", (0,)),
        Way("spatial", (1,)),
    }


def test_ranks_that_no_way_has() -> None:
    with pytest.raises(InvalidOption, match="ranks: 'y' has ranks up to 192 or 96 or 64x96, not 193"):
        found(ranks=GivenRanks(["y: 193"]), form="auto")


def test_any_stack_can_be_timed_afterwards() -> None:
    own = found()
    way = Way("channel", (0, 1))
    stack = way.stack(own.layer, (32,))
    assert own.seconds_of(stack) == pytest.approx(Modelled().seconds(jobs_of(stack, own.workload)), rel=0.05)
    known = next(iter(own.stacks.values()))
    assert all(own.seconds_of(stack) == seconds for stack, seconds in known.items())

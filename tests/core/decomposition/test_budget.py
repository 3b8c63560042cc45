from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onnxpress.decomposition.budget import Choice, allocate
from onnxpress.errors import InvalidOption

CHOICES = st.builds(Choice, cost=st.integers(1, 60), error=st.integers(0, 200))
PROBLEMS = st.lists(st.lists(CHOICES, min_size=1, max_size=5), min_size=1, max_size=4)


def cost(layers: list[list[Choice]], chosen: list[int]) -> float:
    return sum(own[at].cost for own, at in zip(layers, chosen, strict=True))


def error(layers: list[list[Choice]], chosen: list[int]) -> float:
    return sum(own[at].error for own, at in zip(layers, chosen, strict=True))


def best_within(layers: list[list[Choice]], budget: float) -> float:
    every = (list(chosen) for chosen in product(*(range(len(own)) for own in layers)))
    return min(error(layers, chosen) for chosen in every if cost(layers, chosen) <= budget)


@given(PROBLEMS, st.integers(1, 240))
def test_within_the_budget_and_no_further_from_the_best_than_one_step_of_one_layer(
    layers: list[list[Choice]], budget: int
) -> None:
    assume(sum(min(one.cost for one in own) for own in layers) <= budget)
    chosen = allocate(layers, budget)
    assert cost(layers, chosen) <= budget
    step = max(max(one.error for one in own) - min(one.error for one in own) for own in layers)
    best = best_within(layers, budget)
    assert best <= error(layers, chosen) <= best + step


@given(PROBLEMS)
def test_what_the_best_of_all_costs_is_enough_for_the_best_of_all(layers: list[list[Choice]]) -> None:
    lowest = [min(own, key=lambda one: (one.error, one.cost)) for own in layers]
    chosen = allocate(layers, sum(one.cost for one in lowest))
    assert error(layers, chosen) == sum(one.error for one in lowest)


@given(PROBLEMS, st.integers(1, 240), st.integers(0, 60))
def test_nothing_is_left_that_would_lower_the_error(layers: list[list[Choice]], budget: int, more: int) -> None:
    assume(sum(min(one.cost for one in own) for own in layers) <= budget)
    chosen = allocate(layers, budget)
    left = budget - cost(layers, chosen)
    for own, at in zip(layers, chosen, strict=True):
        assert not any(one.error < own[at].error and one.cost <= own[at].cost + left for one in own)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
def test_units_do_not_matter(unit: float) -> None:
    layers = [[Choice((rank + 1) * unit * (layer + 1), 0.5**rank) for rank in range(9)] for layer in range(4)]
    plain = [[Choice((rank + 1) * 1.0 * (layer + 1), 0.5**rank) for rank in range(9)] for layer in range(4)]
    assert allocate(layers, 40.5 * unit) == allocate(plain, 40.5)


def test_a_sensitive_layer_gets_more() -> None:
    curve = [0.5**rank for rank in range(1, 9)]
    layers = [
        [Choice(rank, weight * error) for rank, error in enumerate(curve, start=1)] for weight in (1.0, 100.0, 1.0)
    ]
    low, high, other = allocate(layers, 12)
    assert high > low and high > other and low + high + other + 3 == 12


def test_no_layers_have_no_choices() -> None:
    assert allocate([], 5) == []


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(InvalidOption) as raised:
        allocate([[Choice(7.0, 1.0), Choice(9.0, 0.0)], [Choice(5.0, 0.0)]], 10.0)
    assert str(raised.value) == "the least that these layers can cost is 12, more than the budget of 10"

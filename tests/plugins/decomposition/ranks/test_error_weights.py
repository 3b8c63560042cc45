"""What errors count for: equal shares where nothing is known, and between them and what is measured otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_candidates import candidate
from onnxpress.records import Notes
from onnxpress_plugins.decomposition.candidates import Candidate
from onnxpress_plugins.decomposition.ranks.acceptance import Acceptance
from onnxpress_plugins.decomposition.ranks.error_weights import trials, weights
from onnxpress_plugins.decomposition.ranks.rank_choice import Policy, choose

STEPS = [(0.2, 0.04), (0.4, 0.02), (0.8, 0.001)]


def policy(*, max_error: float = 1.0, budget: float = 0.5) -> Policy:
    return Policy(budget=budget, acceptance=Acceptance(max_error=max_error, min_gain=0.1), measure="time")


def tried(one: Candidate, **options: float) -> int | None:
    """The rank that is tried."""
    found = trials([one], policy(**options))
    return found[0][1].stack.ranks[0] if found else None


def test_an_option_of_about_the_cost_that_is_aimed_for_is_tried() -> None:
    assert tried(candidate(STEPS), budget=0.5) == 2
    assert tried(candidate(STEPS), budget=0.9) == 3


def test_the_cheapest_if_all_cost_more() -> None:
    assert tried(candidate(STEPS), budget=0.1) == 1


@pytest.mark.parametrize("options", [[], [(0.2, 0.0)], [(0.2, 0.5)]])
def test_nothing_to_weigh(options: list[tuple[float, float]]) -> None:
    assert tried(candidate(options), max_error=0.1) is None
    assert tried(candidate(STEPS, given=True)) is None


@given(
    scales=st.lists(st.floats(0.01, 1), min_size=2, max_size=4),
    costs=st.lists(st.floats(0.1, 9), min_size=4, max_size=4),
)
def test_where_nothing_is_known_all_get_an_equal_share(scales: Sequence[float], costs: Sequence[float]) -> None:
    """Errors that fall alike, however large they and the layers are."""
    shares = [0.1 * number for number in range(1, 9)]
    layers = [
        candidate([(share * cost, scale * (1 - share) ** 2) for share in shares], dense=cost)
        for scale, cost in zip(scales, costs, strict=False)
    ]
    given_weights = weights(trials(layers, policy()), policy(), {})
    chosen = choose(layers, policy(), given_weights, Notes())
    assert {own if isinstance(own, str) else own.stack.ranks[0] for own in chosen} <= {4, 5, 6}


def test_what_is_measured_moves_weights_but_not_all_the_way() -> None:
    one, other = candidate(STEPS), candidate(STEPS)
    alike = weights(trials([one, other], policy()), policy(), {})
    assert alike[one.node] == alike[other.node]
    drawn = weights(trials([one, other], policy()), policy(), {one.node: 1.0, other.node: 1e-4})
    assert 1e2 < drawn[one.node] / drawn[other.node] < 1e3

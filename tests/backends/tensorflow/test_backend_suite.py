"""ONNX's own backend tests: whatever is not listed as beyond TensorFlow, or as a gap of ours, passes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from backend_suite import Outcome, cases, judge
from backend_suite_exclusions import GAPS

Case = tuple[str, str, Any]


@pytest.fixture(scope="module")
def every_case(tf: Any) -> list[Case]:
    return list(cases())


def run(chosen: Iterable[Case]) -> list[Outcome]:
    return [judge(*case) for case in chosen]


def surprises(outcomes: Iterable[Outcome]) -> list[str]:
    """Cases that do not pass and are no known gap, and known gaps that pass."""
    found = []
    for outcome in outcomes:
        gap = any(re.search(expression, outcome.name) for expression in GAPS)
        if outcome.state in ("failed", "refused") and not gap:
            found.append(f"{outcome.suite}/{outcome.name} {outcome.state}: {outcome.why}")
        if outcome.state == "passed" and gap:
            found.append(f"{outcome.suite}/{outcome.name} passes, and is listed as a gap")
    return found


@pytest.mark.filterwarnings("ignore")
def test_a_fifth_of_the_cases(every_case: list[Case]) -> None:
    outcomes = run(every_case[::5])
    assert not surprises(outcomes)
    assert Counter(outcome.state for outcome in outcomes)["passed"] > 300


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_every_case(every_case: list[Case]) -> None:
    outcomes = run(every_case)
    assert not surprises(outcomes)
    assert share(outcomes, lambda outcome: outcome.suite == "node") >= 0.9
    for suite in ("pytorch-converted", "pytorch-operator"):
        assert share(outcomes, lambda outcome, suite=suite: outcome.suite == suite) == 1  # type: ignore[misc]


def share(outcomes: Iterable[Outcome], of: Callable[[Outcome], bool]) -> float:
    """Share of the cases that TensorFlow has words for that pass."""
    states = Counter(outcome.state for outcome in outcomes if of(outcome))
    return states["passed"] / (states.total() - states["excluded"])

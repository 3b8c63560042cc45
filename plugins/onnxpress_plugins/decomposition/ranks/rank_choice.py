"""Which stack each layer becomes, by one of six rules.

    ratio     the least error that a share of the layer's cost buys
    energy    the cheapest stack whose relative error is small enough
    evbmf     as many ranks as stand above noise (Nakajima et al. 2013)
    amct      what AMCT does (`amct_rule`)
    ranks     what the user says, and nothing else
    budget    a share of the cost of all layers together, spent where it lowers the sum of errors most

Cost is multiplications or time.  Ranks that the user gives for a layer go before any rule.  Neither they nor those of
`amct` are judged; all others must pass the test of `acceptance`, which a budget takes into account beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

import onnx_ir as ir

from onnxpress.decomposition.budget import Choice, allocate
from onnxpress.decomposition.noise_ranks import evbmf
from onnxpress.records import Notes
from onnxpress_plugins.decomposition.candidates import COSTS, Candidate, Costs, Measure, Option
from onnxpress_plugins.decomposition.ranks import amct_rule
from onnxpress_plugins.decomposition.ranks.acceptance import Acceptance
from onnxpress_plugins.decomposition.ranks.given_ranks import GivenRanks

Rule = Literal["ratio", "energy", "evbmf", "amct", "ranks", "budget"]

Weights = Mapping[ir.Node, float]
"""What a layer's squared error counts for, as `error_weights` has it; 1 where nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A rule with its figures.

    Attributes:
        rule: The rule.
        ratio: For `ratio`: share of the cost of each layer.
        energy: For `energy`: relative error of each layer.
        budget: For `budget`: share of the cost of all layers together.
        step: Ranks are multiples of it, or the full rank; those of `evbmf` are rounded up.
        ranks: What the user says.
        acceptance: What a stack must keep to.
        measure: What is meant by cost.
    """

    rule: Rule = "budget"
    ratio: float = 0.5
    energy: float = 0.2
    budget: float = 0.5
    step: int = 16
    ranks: GivenRanks = field(default_factory=GivenRanks)
    acceptance: Acceptance
    measure: Measure = "multiplications"

    @property
    def needs_all_ranks(self) -> bool:
        """Whether a rank may be asked for that saves nothing."""
        return self.rule in ("evbmf", "amct")

    @property
    def costs(self) -> Costs:
        """What is meant by cost, as a function."""
        return COSTS[self.measure]


def choose(candidates: Sequence[Candidate], policy: Policy, weights: Weights, notes: Notes) -> list[Option | str]:
    """The stack of each candidate, or why it stays as it is.

    Args:
        candidates: Layers that can be replaced, in the order of the graph.
        policy: The rule.
        weights: What errors count for in the budget.
        notes: Where to say that a budget cannot be met.
    """
    ruled = [candidate for candidate in candidates if not candidate.prospect.is_given]
    if policy.rule == "budget":
        found = iter(_budgeted(ruled, policy, weights, notes))
    else:
        found = iter([_alone(candidate, policy) for candidate in ruled])
    return [one.options[-1] if one.prospect.is_given else next(found) for one in candidates]


def usable(candidate: Candidate, policy: Policy) -> list[Option]:
    """The options of a layer that nothing speaks against."""
    return [option for option in candidate.options if _objection(candidate, option, policy) is None]


def _alone(candidate: Candidate, policy: Policy) -> Option | str:
    """What a rule that looks at one layer makes of it."""
    if policy.rule == "amct":
        return amct_rule.decide(candidate)
    if not candidate.options:
        return _too_slow(policy)
    found = _RULES[policy.rule](candidate, policy)
    return found if isinstance(found, str) else _objection(candidate, found, policy) or found


def _too_slow(policy: Policy) -> str:
    gain = policy.acceptance.min_gain
    return f"no stack of smaller layers {f'saves {gain:.0%} of its time' if gain else 'is quicker'}"


def _of_ratio(candidate: Candidate, policy: Policy) -> Option | str:
    most = policy.ratio * policy.costs(candidate)
    affordable = [option for option in candidate.options if policy.costs(option) <= most]
    return affordable[-1] if affordable else f"no stack costs {policy.ratio:.0%} of its {policy.measure} or less"


def _of_energy(candidate: Candidate, policy: Policy) -> Option | str:
    found = next((option for option in candidate.options if option.error <= policy.energy**2), None)
    least = sqrt(candidate.options[-1].error)
    return found or f"what is quicker makes an error of {least:.1%} or more, and {policy.energy:.1%} is to be kept to"


def _of_noise(candidate: Candidate, policy: Policy) -> Option | str:
    found = []
    for way, factoring in candidate.factorings.items():
        most = way.full_ranks(candidate.layer)
        ranks = [max(-(-rank // policy.step), 1) * policy.step for rank in factoring.noise_ranks(evbmf)]
        found.append(candidate.option(way, tuple(map(min, ranks, most))))
    return min(found, key=policy.costs)


_RULES: Mapping[Rule, Callable[[Candidate, Policy], Option | str]] = {
    "ratio": _of_ratio,
    "energy": _of_energy,
    "evbmf": _of_noise,
}


def _budgeted(candidates: Sequence[Candidate], policy: Policy, weights: Weights, notes: Notes) -> list[Option | str]:
    """What the budget of all layers gives each; layers without a quicker stack are not part of it."""
    allowed = [usable(one, policy) for one in candidates]
    layers = [
        _choices(one, own, policy, weights.get(one.node, 1.0)) for one, own in zip(candidates, allowed, strict=True)
    ]
    total = sum(policy.costs(one) for one in candidates if one.options)
    fixed = sum(policy.costs(one) for one in candidates if not one.options)
    least = sum(min(choice.cost for choice in own) for own in layers) - fixed
    if least > policy.budget * total:
        notes.warn(
            f"layers that can be decomposed keep at least {least / total:.0%} of their {policy.measure}, "
            f"not {policy.budget:.0%}, for what is cheaper {_why_not_cheaper(candidates, allowed)}"
        )
    chosen = allocate(layers, max(least, policy.budget * total) + fixed)
    return [
        own[at - 1] if at else _why_dense(one, policy) for one, own, at in zip(candidates, allowed, chosen, strict=True)
    ]


def _choices(candidate: Candidate, allowed: Sequence[Option], policy: Policy, weight: float) -> list[Choice]:
    dense = Choice(policy.costs(candidate), 0.0)
    return [dense, *(Choice(policy.costs(option), weight * option.error) for option in allowed)]


def _why_not_cheaper(candidates: Sequence[Candidate], allowed: Sequence[Sequence[Option]]) -> str:
    if all(len(own) == len(one.options) for one, own in zip(candidates, allowed, strict=True)):
        return "has ranks below 'step'; lower that if it may be"
    return "errs too much; raise 'max_error' if it may"


def _why_dense(candidate: Candidate, policy: Policy) -> str:
    if not candidate.options:
        return _too_slow(policy)
    reasons = [_objection(candidate, option, policy) for option in candidate.options]
    return (all(reasons) and reasons[-1]) or "the budget has room for it as it is"


def _objection(candidate: Candidate, option: Option, policy: Policy) -> str | None:
    return policy.acceptance.objection(error=sqrt(option.error), dense=candidate.seconds, replaced=option.seconds)

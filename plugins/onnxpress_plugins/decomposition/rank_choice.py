"""Which stack each layer becomes, by one of six rules.

    ratio     the least error that a share of the layer's multiplications buys
    energy    the cheapest stack whose relative error is small enough
    evbmf     as many ranks as stand above noise (Nakajima et al. 2013)
    amct      what AMCT does (`amct_rule`)
    ranks     what the user says, and nothing else
    budget    a share of the multiplications of all layers together, spent where it lowers the sum of errors most

Ranks that the user gives for a layer go before any rule.  Neither they nor those of `amct` are judged; all others must
pass the test of `acceptance`, which a budget takes into account beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

import onnx_ir as ir

from onnxpress.decomposition.budget import Choice, allocate
from onnxpress.decomposition.noise_ranks import evbmf
from onnxpress.errors import InvalidOption
from onnxpress.records import Notes
from onnxpress_plugins.decomposition import amct_rule
from onnxpress_plugins.decomposition.acceptance import Acceptance
from onnxpress_plugins.decomposition.candidates import Candidate, Option
from onnxpress_plugins.layer_selection import last_word

Rule = Literal["ratio", "energy", "evbmf", "amct", "ranks", "budget"]

TOO_SMALL = "it is too small: no stack of smaller layers saves enough multiplications"

Costs = Callable[[Candidate, "Option | None"], float]
"""What a layer costs at an option, or as it is, in any one unit."""


def multiplications(candidate: Candidate, option: Option | None) -> float:
    """The cost that is known without running anything."""
    return candidate.macs if option is None else option.macs


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A rule with its figures.

    Attributes:
        rule: The rule.
        ratio: For `ratio`: share of the cost of each layer.
        energy: For `energy`: relative error of each layer.
        budget: For `budget`: share of the cost of all layers together.
        step: For `evbmf`: what ranks are rounded up to multiples of.
        ranks: Layers, as `layer_selection` has it, and their ranks.
        acceptance: What a stack must keep to.
        costs: What layers cost.
        measure: What `costs` counts.
        sensitivities: What a layer's error counts for in the budget; 1 where nothing is known.
    """

    rule: Rule = "budget"
    ratio: float = 0.5
    energy: float = 0.1
    budget: float = 0.5
    step: int = 16
    ranks: Sequence[tuple[str, tuple[int, ...]]] = ()
    acceptance: Acceptance
    costs: Costs = multiplications
    measure: str = "multiplications"
    sensitivities: Mapping[ir.Node, float] = field(default_factory=dict)

    @property
    def needs_all_ranks(self) -> bool:
        """Whether a rank may be asked for that saves nothing."""
        return self.rule in ("evbmf", "amct", "ranks") or bool(self.ranks)


def choose(candidates: Sequence[Candidate], policy: Policy, notes: Notes) -> list[Option | str]:
    """The stack of each candidate, or why it stays as it is.

    Args:
        candidates: Layers that can be replaced, in the order of the graph.
        policy: The rule.
        notes: Where to say that a budget cannot be met.

    Raises:
        InvalidOption: Ranks that the user gives do not fit a layer.
    """
    given = [_by_hand(candidate, policy) for candidate in candidates]
    left = [candidate for candidate, own in zip(candidates, given, strict=True) if own is None]
    ruled = iter(_budgeted(left, policy, notes) if policy.rule == "budget" else [_alone(one, policy) for one in left])
    return [next(ruled) if own is None else own for own in given]


def _by_hand(candidate: Candidate, policy: Policy) -> Option | None:
    """What the user says of a layer: of all stacks with these ranks, the one that errs least."""
    ranks = last_word(policy.ranks, candidate.node)
    if ranks is None:
        return None
    full = {way: way.full_ranks(candidate.layer) for way in candidate.factorings}
    fitting = [
        candidate.option(way, ranks)
        for way, most in full.items()
        if len(most) == len(ranks) and all(1 <= rank <= highest for rank, highest in zip(ranks, most, strict=True))
    ]
    if not fitting:
        known = " or ".join(dict.fromkeys("x".join(map(str, most)) for most in full.values()))
        raise InvalidOption(f"ranks: {candidate.layer.name!r} has ranks up to {known}, not {'x'.join(map(str, ranks))}")
    return min(fitting, key=lambda option: (option.error, option.macs))


def _alone(candidate: Candidate, policy: Policy) -> Option | str:
    """What a rule that looks at one layer makes of it."""
    if policy.rule == "amct":
        return amct_rule.decide(candidate)
    if policy.rule == "ranks":
        return "no ranks are given for it"
    if not candidate.options:
        return TOO_SMALL
    option = _RULES[policy.rule](candidate, policy)
    return "no stack fits its share" if option is None else _objection(candidate, option, policy) or option


def _of_ratio(candidate: Candidate, policy: Policy) -> Option | None:
    most = policy.ratio * policy.costs(candidate, None)
    affordable = [option for option in candidate.options if policy.costs(candidate, option) <= most]
    return min(affordable, key=lambda option: option.error, default=None)


def _of_energy(candidate: Candidate, policy: Policy) -> Option | None:
    """The cheapest that is true enough; if none is, the truest, to be told how true."""
    true = [option for option in candidate.options if option.error <= policy.energy**2]
    return min(true or candidate.options[-1:], key=lambda option: policy.costs(candidate, option))


def _of_noise(candidate: Candidate, policy: Policy) -> Option | None:
    found = []
    for way, factoring in candidate.factorings.items():
        most = way.full_ranks(candidate.layer)
        ranks = [max(-(-rank // policy.step), 1) * policy.step for rank in factoring.noise_ranks(evbmf)]
        found.append(candidate.option(way, tuple(map(min, ranks, most))))
    return min(found, key=lambda option: policy.costs(candidate, option), default=None)


_RULES: Mapping[Rule, Callable[[Candidate, Policy], Option | None]] = {
    "ratio": _of_ratio,
    "energy": _of_energy,
    "evbmf": _of_noise,
}


def _budgeted(candidates: Sequence[Candidate], policy: Policy, notes: Notes) -> list[Option | str]:
    """What the budget of all layers gives each; layers without a cheaper stack are not part of it."""
    usable = [[own for own in one.options if _objection(one, own, policy) is None] for one in candidates]
    layers = [_choices(one, own, policy) for one, own in zip(candidates, usable, strict=True)]
    total = sum(policy.costs(one, None) for one in candidates if one.options)
    fixed = sum(policy.costs(one, None) for one in candidates if not one.options)
    least = sum(min(choice.cost for choice in own) for own in layers) - fixed
    if least > policy.budget * total:
        notes.warn(
            f"layers that can be decomposed cost at least {least / total:.0%} of what they did, "
            f"not {policy.budget:.0%}, for cheaper stacks err too much; raise 'max_error' if they may"
        )
    chosen = allocate(layers, max(least, policy.budget * total) + fixed)
    return [
        own[at - 1] if at else _why_dense(one, policy) for one, own, at in zip(candidates, usable, chosen, strict=True)
    ]


def _choices(candidate: Candidate, usable: Sequence[Option], policy: Policy) -> list[Choice]:
    weight = policy.sensitivities.get(candidate.node, 1.0)
    dense = Choice(policy.costs(candidate, None), 0.0)
    return [dense, *(Choice(policy.costs(candidate, option), weight * option.error) for option in usable)]


def _why_dense(candidate: Candidate, policy: Policy) -> str:
    if not candidate.options:
        return TOO_SMALL
    reasons = [_objection(candidate, option, policy) for option in candidate.options]
    return (all(reasons) and reasons[-1]) or "the budget is better kept by other layers"


def _objection(candidate: Candidate, option: Option, policy: Policy) -> str | None:
    dense, replaced = policy.costs(candidate, None), policy.costs(candidate, option)
    return policy.acceptance.objection(error=sqrt(option.error), dense=dense, replaced=replaced, measure=policy.measure)

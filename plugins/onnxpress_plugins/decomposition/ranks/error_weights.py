"""What the squared error of each layer counts for, where all layers share one budget.

Relative errors of layers cannot be compared as they are: one layer loses 1 % at half of its cost, another 10 %, and no
budget should take that for a reason to cut the first one only.  As long as nothing is known of the network, an equal
share for every layer is as good as any other, so that weights are such that the budget would give just that,

    alike = cost / error at the budget's share

What the network minds is measured (`sensitivity`), but on a few samples, at one error each, and of one layer at a time:
other samples give other figures, and a layer that seems to count for nothing would be cut to nothing.  So the two meet,

    weight = measured ^ 0.6 * alike ^ 0.4

On HED at 0.39 and 0.50 of its multiplications, edges in photographs that it was not calibrated on overlap by 0.965 and
0.978 with what is measured alone, 0.964 and 0.977 with equal shares, 0.971 and 0.982 with both.  Without data they do
by 0.77 and 0.88 if all errors count alike, and 0.82 and 0.92 with equal shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from onnxpress_plugins.decomposition.candidates import Candidate, Option
from onnxpress_plugins.decomposition.ranks.rank_choice import Policy, usable

_TRUST = 0.6

_FELT = 1e-6
"""Least squared error whose effect on the network's output is told from rounding."""


def trials(candidates: Sequence[Candidate], policy: Policy) -> list[tuple[Candidate, Option]]:
    """Layers, each with an option of about the budget's share whose error can be felt.

    Of a layer that loses nothing, and of one that stays as it is, or as the user says, nothing need be weighed.
    """
    found = [(one, _trial(one, policy)) for one in candidates if not one.prospect.is_given]
    return [(one, option) for one, option in found if option is not None]


def weights(
    tried: Sequence[tuple[Candidate, Option]], policy: Policy, measured: Mapping[ir.Node, float]
) -> dict[ir.Node, float]:
    """The weight of each layer.

    Args:
        tried: What `trials` gave.
        policy: What is meant by cost.
        measured: What `sensitivity.sensitivities` told of each layer; empty if nothing did.
    """
    alike = {one.node: policy.costs(one) / option.error for one, option in tried}
    if not measured:
        return alike
    return {node: measured[node] ** _TRUST * weight ** (1 - _TRUST) for node, weight in alike.items()}


def _trial(candidate: Candidate, policy: Policy) -> Option | None:
    felt = [option for option in usable(candidate, policy) if option.error > _FELT]
    most = policy.budget * policy.costs(candidate)
    affordable = [option for option in felt if policy.costs(option) <= most]
    return affordable[-1] if affordable else felt[0] if felt else None

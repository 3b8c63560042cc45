"""Which rank each layer gets when all of them together have a budget.

Every layer offers options, each with what it costs (multiplications, or seconds) and the squared error it adds to the
output of the network; one of them is to leave it as it is.  Minimising the sum of errors under a budget of cost is a
multiple-choice knapsack.  Its Lagrangian falls apart into one choice per layer,

    minimise  error + price * cost

so the price is bisected until the cost meets the budget, which is exact on the convex hull of the options; what the
budget has left then goes, option by option, to whoever lowers the error most per cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxpress.errors import InvalidOption

_BISECTIONS = 200


@dataclass(frozen=True)
class Choice:
    """One thing that can be done with a layer.

    Attributes:
        cost: Multiplications, seconds: any unit, the same for all.
        error: What it adds to the squared error of the network's output.
    """

    cost: float
    error: float


def allocate(layers: Sequence[Sequence[Choice]], budget: float) -> list[int]:
    """The position of the choice that each layer gets.

    Args:
        layers: What can be done with each layer, in any order.
        budget: Most that all may cost together.

    Raises:
        InvalidOption: Even the cheapest choices cost more than `budget`.
    """
    cheapest = [min(range(len(own)), key=[(one.cost, one.error) for one in own].__getitem__) for own in layers]
    least = _cost(layers, cheapest)
    if least > budget:
        raise InvalidOption(
            f"the least that these layers can cost is {least:.4g}, more than the budget of {budget:.4g}"
        )
    free = _at_price(layers, 0.0)
    if _cost(layers, free) <= budget:
        return free
    low, high, best = 0.0, 1.0, cheapest
    while _cost(layers, _at_price(layers, high)) > budget:
        low, high = high, high * 4
    for _ in range(_BISECTIONS):
        price = (low + high) / 2
        chosen = _at_price(layers, price)
        if _cost(layers, chosen) > budget:
            low = price
        else:
            high, best = price, chosen
    return _filled(layers, best, budget)


def _at_price(layers: Sequence[Sequence[Choice]], price: float) -> list[int]:
    return [
        min(range(len(own)), key=[(one.error + price * one.cost, one.cost) for one in own].__getitem__)
        for own in layers
    ]


def _filled(layers: Sequence[Sequence[Choice]], chosen: list[int], budget: float) -> list[int]:
    """Spend what is left, always on the step that lowers the error most per cost."""
    chosen, left = list(chosen), budget - _cost(layers, chosen)
    while True:
        steps = [
            ((own[now].error - own[at].error) / (own[at].cost - own[now].cost), -layer, at)
            for layer, (own, now) in enumerate(zip(layers, chosen, strict=True))
            for at in range(len(own))
            if own[now].cost < own[at].cost <= own[now].cost + left and own[at].error < own[now].error
        ]
        if not steps:
            return chosen
        _, layer, at = max(steps)
        left -= layers[-layer][at].cost - layers[-layer][chosen[-layer]].cost
        chosen[-layer] = at


def _cost(layers: Sequence[Sequence[Choice]], chosen: Sequence[int]) -> float:
    return sum(own[at].cost for own, at in zip(layers, chosen, strict=True))

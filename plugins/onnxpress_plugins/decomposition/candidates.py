"""What can be done with a layer, before anybody decides: stacks, with what each of them costs and how much it errs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.decomposition.rewriting import kernel_of
from onnxpress_plugins.decomposition.factorings import Factoring, factored
from onnxpress_plugins.decomposition.moments.moment_gathering import Moments
from onnxpress_plugins.decomposition.prospects import Prospect
from onnxpress_plugins.decomposition.ways import Way

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

Measure = Literal["multiplications", "time"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One stack that may take the place of a layer.

    Attributes:
        stack: The stack.
        macs: Its multiply-accumulates, counted as `Candidate.macs` is.
        seconds: What it takes, told as `Candidate.seconds` is.
        error: Relative squared error, of the weight, or of the output where its moments are known.
    """

    stack: Stack
    macs: int
    seconds: float
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A layer that can be replaced.

    Attributes:
        prospect: The layer, how often it is applied, and what it takes.
        options: What can take its place, cheapest first; each costs more than the one before and errs less.
        factorings: The kernel factored in every way that an option has, or that there is.
        mean: What each tap sees on average, ``(inputs, *kernel)``; None where that is unknown, or makes no difference.
    """

    prospect: Prospect
    options: Sequence[Option]
    factorings: Mapping[Way, Factoring]
    mean: NDArray[np.float64] | None

    @property
    def node(self) -> ir.Node:
        """The node."""
        return self.prospect.node

    @property
    def layer(self) -> Layer:
        """The same as data."""
        return self.prospect.layer

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer as it is."""
        return self.prospect.workload.dense(self.layer)

    @property
    def seconds(self) -> float:
        """What the layer takes as it is."""
        return self.prospect.seconds

    def weights(self, option: Option) -> tuple[Array, ...]:
        """The weights of the parts of a stack, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""
        return self.factorings[Way.of(option.stack)].weights(option.stack.ranks)

    def option(self, way: Way, ranks: tuple[int, ...]) -> Option:
        """The stack of any other ranks, up to those that the kernel was factored for."""
        return _option(self.prospect, way.stack(self.layer, ranks), self.factorings[way])


Costs = Callable[[Candidate | Option], float]
"""What a layer costs as it is, or at an option."""

COSTS: Mapping[Measure, Costs] = {"multiplications": lambda one: one.macs, "time": lambda one: one.seconds}


def candidate(
    prospect: Prospect, moments: Iterator[Moments | None], costs: Costs, *, sweeps: int = 0, keep_all: bool = False
) -> Candidate:
    """Factor a layer in every way that it has stacks of, and see what errors they make.

    Args:
        prospect: The layer, whose weight is finite.
        moments: What the layer sees, for each way in turn; None where that is unknown.
        costs: What a layer or an option costs; options that err no less than a cheaper one are dropped.
        sweeps: Alternating improvements of a Tucker-2 stack.
        keep_all: Whether factors are kept of ways, too, that no option has: they are as large as the weight.
    """
    weight, options, mean = kernel_of(prospect.node), [], None
    factorings: dict[Way, Factoring] = {}
    for way, stacks in prospect.stacks.items():
        seen = next(moments)
        mean = None if seen is None else seen.mean
        rank = max(stack.ranks[0] for stack in stacks)
        factorings[way] = made = factored(weight, way, rank, sweeps=sweeps, moments=seen)
        options += [_option(prospect, stack, made) for stack in stacks]
    best = _frontier(options, costs)
    chosen = {Way.of(option.stack) for option in best}
    used = {way: own for way, own in factorings.items() if keep_all or way in chosen}
    return Candidate(prospect=prospect, options=best, factorings=used, mean=mean)


def _option(prospect: Prospect, stack: Stack, factoring: Factoring) -> Option:
    return Option(
        stack=stack,
        macs=prospect.workload.of(stack),
        seconds=prospect.seconds_of(stack),
        error=factoring.error(stack.ranks),
    )


def _frontier(options: Sequence[Option], costs: Costs) -> list[Option]:
    """The options that err less than all that cost no more, cheapest first."""
    best: list[Option] = []
    for option in sorted(options, key=lambda option: (costs(option), option.error)):
        if not best or option.error < best[-1].error:
            best.append(option)
    return best

"""What can be done with a layer, before anybody decides: the interface between the parts of `decompose`.

    layers         nodes whose kernel can be factored, or why not            `layers.obstacle`
    ways           how a kernel can be parted                                `ways.Way`
    prospects      a layer with the stacks that are cheap enough             `prospects.Prospect`
    factorings     a kernel factored in one way, to be cut at any rank       `factorings.Factoring`
    candidates     a layer with its options: stack, cost, error              `Candidate`, `Option`
    rank choice    one option for each candidate, or none                    `rank_choice.choose`
    rewriting      the stack in the place of the node                        `onnxpress.decomposition.rewriting`

Whoever knows more of a layer than its weight comes in at four places, all of which work without:

* the moments of what a layer sees (`moment_gathering`) make factors and errors those of its *output*;
* a sensitivity, how much the network's output minds a layer's error, multiplies `Option.error` in the budget;
* seconds of a layer as it is and at an option take the place of `Candidate.macs` and `Option.macs`;
* `Candidate.weights` of a chosen option are what is measured before it is accepted, and what a bias makes up for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress_plugins.decomposition.factorings import Factoring, factored
from onnxpress_plugins.decomposition.layers import finite_kernel
from onnxpress_plugins.decomposition.moment_gathering import Moments
from onnxpress_plugins.decomposition.prospects import Prospect
from onnxpress_plugins.decomposition.ways import Way
from onnxpress_plugins.decomposition.workload import Workload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One stack that may take the place of a layer.

    Attributes:
        stack: The stack.
        macs: Its multiply-accumulates, counted as `Candidate.macs` is.
        error: Relative squared error, of the weight, or of the output where its moments are known.
    """

    stack: Stack
    macs: int
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A layer that can be replaced.

    Attributes:
        node: The node.
        layer: The same as data.
        weight: Its kernel, ``(outputs, inputs, *kernel)``, a view of what the node has.
        workload: How often the kernel is applied (`nominal_sizes`).
        options: What can take its place, cheapest first; each costs more than the one before and errs less.
        factorings: The kernel factored in every way that an option has, or that there is.
        mean: What each tap sees on average, ``(inputs, *kernel)``; None where that is unknown.
    """

    node: ir.Node
    layer: Layer
    weight: Array
    workload: Workload
    options: Sequence[Option]
    factorings: Mapping[Way, Factoring]
    mean: NDArray[np.float64] | None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer as it is."""
        return self.workload.dense(self.layer)

    def weights(self, option: Option) -> tuple[Array, ...]:
        """The weights of the parts of a stack, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""
        return self.factorings[_way(option)].weights(option.stack.ranks)

    def option(self, way: Way, ranks: tuple[int, ...]) -> Option:
        """The stack of any other ranks, up to those that the kernel was factored for."""
        stack = way.stack(self.layer, ranks)
        return Option(stack=stack, macs=self.workload.of(stack), error=self.factorings[way].error(ranks))


def candidate(
    prospect: Prospect, moments: Iterator[Moments | None], *, sweeps: int = 0, keep_all: bool = False
) -> Candidate:
    """Factor a layer in every way that it has stacks of, and see what errors they make.

    Args:
        prospect: The layer.
        moments: What the layer sees, for each way in turn; None where that is unknown.
        sweeps: Alternating improvements of a Tucker-2 stack.
        keep_all: Whether factors are kept of ways, too, that no option has: they are as large as the weight.

    Raises:
        InvalidModel: The weight holds NaN or infinity.
    """
    weight, options, mean = finite_kernel(prospect.node), [], None
    factorings: dict[Way, Factoring] = {}
    for way, stacks in prospect.stacks.items():
        seen = next(moments)
        mean = None if seen is None else seen.mean
        rank = max(stack.ranks[0] for stack in stacks)
        factorings[way] = made = factored(weight, way, rank, sweeps=sweeps, moments=seen)
        options += [Option(stack=own, macs=prospect.workload.of(own), error=made.error(own.ranks)) for own in stacks]
    best = _frontier(options)
    used = {way: own for way, own in factorings.items() if keep_all or any(_way(option) == way for option in best)}
    return Candidate(
        node=prospect.node,
        layer=prospect.layer,
        weight=weight,
        workload=prospect.workload,
        options=best,
        factorings=used,
        mean=mean,
    )


def _way(option: Option) -> Way:
    return Way(option.stack.form, option.stack.first_axes)


def _frontier(options: Sequence[Option]) -> list[Option]:
    """The options that err less than all that cost no more, cheapest first."""
    best: list[Option] = []
    for option in sorted(options, key=lambda option: (option.macs, option.error)):
        if not best or option.error < best[-1].error:
            best.append(option)
    return best

"""What can be done with a layer, before anybody decides: the interface between the parts of `decompose`.

    layers         nodes whose kernel can be factored, or why not            `layers.obstacle`
    ways           how a kernel can be parted                                `ways.Way`
    factorings     a kernel factored in one way, to be cut at any rank       `factorings.Factoring`
    candidates     a layer with its options: stack, cost, error              `Candidate`, `Option`
    rank choice    one option for each candidate, or none                    `rank_choice.choose`
    rewriting      the stack in the place of the node                        `onnxpress.decomposition.rewriting`

Whoever knows more of a layer than its weight comes in at four places, all of which work without:

* a covariance of what the first part sees (`Covariances`) makes factors and errors those of the layer's *output*;
* a sensitivity, how much the network's output minds a layer's error, multiplies `Option.error` in the budget;
* seconds of a layer as it is and at an option take the place of `Candidate.macs` and `Option.macs`;
* `Candidate.weights` of a chosen option are what is measured before it is accepted, and what a bias makes up for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.decomposition.rewriting import layer_of
from onnxpress_plugins.decomposition.factorings import Factoring, factored
from onnxpress_plugins.decomposition.layers import finite_kernel
from onnxpress_plugins.decomposition.nominal_sizes import Sizes
from onnxpress_plugins.decomposition.ways import Way
from onnxpress_plugins.decomposition.workload import Workload, workload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

Covariances = Callable[[ir.Node, Way], "Array | None"]
"""Covariance of what the first part sees, as `forms.split` and `forms.tucker2` take it; None: unknown."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One stack that may take the place of a layer.

    Attributes:
        stack: The stack.
        macs: Its multiply-accumulates, counted as `Candidate.macs` is.
        error: Relative squared error, of the weight, or of the output where a covariance is known; 0 to 1.
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
        factorings: The kernel factored in every way that an option has, or, if all ranks were asked for, that there is.
    """

    node: ir.Node
    layer: Layer
    weight: Array
    workload: Workload
    options: Sequence[Option]
    factorings: Mapping[Way, Factoring]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer as it is."""
        return self.workload.dense(self.layer)

    def weights(self, option: Option) -> tuple[Array, ...]:
        """The weights of the parts of a stack, each ``(outputs, inputs, *kernel)``, in the type of the layer's."""
        way = Way(option.stack.form, option.stack.first_axes)
        return self.factorings[way].weights(option.stack.ranks)

    def option(self, way: Way, ranks: tuple[int, ...]) -> Option:
        """The stack of any other ranks, up to those that the kernel was factored for."""
        stack = way.stack(self.layer, ranks)
        return Option(stack=stack, macs=self.workload.of(stack), error=self.factorings[way].error(ranks))


def candidate(
    node: ir.Node,
    ways: Callable[[Layer], Sequence[Way]],
    sizes: Sizes,
    *,
    step: int = 16,
    share: float | None = None,
    sweeps: int = 0,
    covariances: Covariances | None = None,
) -> Candidate:
    """Factor a layer in every way and list its options.

    Args:
        node: The layer; `layers.obstacle` has nothing to say of it.
        ways: How its kernel may be parted.
        sizes: Of values, as `nominal_sizes` gives them.
        step: Ranks are multiples of it, or the highest there is.
        share: Most that an option may cost, of what the layer costs; None: all ranks there are.
        sweeps: Alternating improvements of a Tucker-2 stack.
        covariances: What is known of the inputs.

    Raises:
        InvalidModel: The weight holds NaN or infinity.
    """
    layer, weight = layer_of(node), finite_kernel(node)
    work = workload(node, layer, sizes)
    limit = None if share is None else share * work.dense(layer)
    options: dict[Way, list[Option]] = {}
    factorings: dict[Way, Factoring] = {}
    for way in ways(layer):
        stacks = [way.stack(layer, ranks) for ranks in _ranks(way.full_ranks(layer), step)]
        costs = {stack: work.of(stack) for stack in stacks}
        allowed = [stack for stack in stacks if limit is None or costs[stack] <= limit]
        if allowed:
            covariance = None if covariances is None else covariances(node, way)
            rank = max(stack.ranks[0] for stack in allowed)
            made = factorings[way] = factored(weight, way, rank, sweeps=sweeps, covariance=covariance)
            options[way] = [Option(stack=own, macs=costs[own], error=made.error(own.ranks)) for own in allowed]
    best = _frontier([option for own in options.values() for option in own])
    if share is not None:  # factors are as large as the weight
        factorings = {way: made for way, made in factorings.items() if any(option in options[way] for option in best)}
    return Candidate(node=node, layer=layer, weight=weight, workload=work, options=best, factorings=factorings)


def _ranks(full: Sequence[int], step: int) -> list[tuple[int, ...]]:
    return list(product(*([*range(step, most, step), most] for most in full)))


def _frontier(options: Sequence[Option]) -> list[Option]:
    """The options that err less than all that cost no more, cheapest first."""
    best: list[Option] = []
    for option in sorted(options, key=lambda option: (option.macs, option.error)):
        if not best or option.error < best[-1].error:
            best.append(option)
    return best

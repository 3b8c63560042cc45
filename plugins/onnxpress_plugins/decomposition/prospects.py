"""Layers with the stacks that are quick enough to take their place, before anything is factored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.decomposition.rewriting import layer_of
from onnxpress.errors import InvalidOption
from onnxpress_plugins.decomposition.ranks.given_ranks import GivenRanks
from onnxpress_plugins.decomposition.speed.latency import Clock, job_of, stack_seconds
from onnxpress_plugins.decomposition.speed.nominal_sizes import Sizes
from onnxpress_plugins.decomposition.speed.workload import Workload, workload
from onnxpress_plugins.decomposition.ways import FormName, Way, ways


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for.

    Attributes:
        form: How kernels are parted.
        rule: Ways to part a kernel in place of those of `form`, unless the user gives ranks; None: those of `form`.
        step: Ranks are multiples of it, or the highest there is.
        share: Most time that a stack may take, of what the layer takes; None: all ranks there are.
        ranks: What the user says; a layer that gets ranks there gets no others.
        clock: Tells the time.
        sizes: Of values, as `nominal_sizes` gives them.
    """

    form: FormName
    rule: Callable[[Layer], Sequence[Way]] | None
    step: int
    share: float | None
    ranks: GivenRanks
    clock: Clock
    sizes: Sizes

    def ways_of(self, layer: Layer, *, is_given: bool) -> tuple[Way, ...]:
        """How the kernel of a layer may be parted."""
        return ways(self.form, layer) if is_given or self.rule is None else tuple(self.rule(layer))


@dataclass(frozen=True, kw_only=True, eq=False)
class Prospect:
    """A layer that might be replaced.

    Attributes:
        node: The node.
        layer: The same as data.
        workload: How often its kernel is applied.
        clock: Tells the time.
        seconds: What the layer takes as it is.
        stacks: What might take its place, with the seconds of each; ways that have no stack are not there.
        is_given: Whether the user gave the ranks.
    """

    node: ir.Node
    layer: Layer
    workload: Workload
    clock: Clock
    seconds: float
    stacks: Mapping[Way, Mapping[Stack, float]]
    is_given: bool

    def seconds_of(self, stack: Stack) -> float:
        """What any stack takes."""
        known = self.stacks.get(Way.of(stack), {}).get(stack)
        return stack_seconds(self.clock, [stack], self.workload)[0] if known is None else known


def prospect(node: ir.Node, search: Search) -> Prospect:
    """A layer with its stacks.

    Args:
        node: The layer; `layers.obstacle` has nothing to say of it.
        search: What stacks are looked for.

    Raises:
        InvalidOption: It has not the ranks that the user gives.
    """
    layer, given = layer_of(node), search.ranks.of(node)
    work, every = workload(node, layer, search.sizes), search.ways_of(layer, is_given=given is not None)
    seconds = search.clock.seconds([job_of(layer, work)])
    stacks = _of_all_ranks(layer, every, search.step) if given is None else _of_these_ranks(layer, every, given)
    most = float("inf") if given is not None or search.share is None else search.share * seconds
    timed = {way: zip(own, stack_seconds(search.clock, own, work), strict=True) for way, own in stacks.items()}
    quick = {way: {stack: took for stack, took in own if took <= most} for way, own in timed.items()}
    return Prospect(
        node=node,
        layer=layer,
        workload=work,
        clock=search.clock,
        seconds=seconds,
        stacks={way: own for way, own in quick.items() if own},
        is_given=given is not None,
    )


def _of_all_ranks(layer: Layer, ways: Sequence[Way], step: int) -> dict[Way, list[Stack]]:
    return {
        way: [
            way.stack(layer, ranks)
            for ranks in product(*([*range(step, most, step), most] for most in way.full_ranks(layer)))
        ]
        for way in ways
    }


def _of_these_ranks(layer: Layer, ways: Sequence[Way], ranks: tuple[int, ...]) -> dict[Way, list[Stack]]:
    full = {way: way.full_ranks(layer) for way in ways}
    fitting = {
        way: [way.stack(layer, ranks)]
        for way, most in full.items()
        if len(most) == len(ranks) and all(1 <= rank <= highest for rank, highest in zip(ranks, most, strict=True))
    }
    if not fitting:
        known = " or ".join(dict.fromkeys("x".join(map(str, most)) for most in full.values()))
        raise InvalidOption(f"ranks: {layer.name!r} has ranks up to {known}, not {'x'.join(map(str, ranks))}")
    return fitting

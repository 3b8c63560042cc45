"""Layers with the stacks that are cheap enough to take their place, before anything is factored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.decomposition.rewriting import layer_of
from onnxpress_plugins.decomposition.nominal_sizes import Sizes
from onnxpress_plugins.decomposition.ways import Way
from onnxpress_plugins.decomposition.workload import Workload, workload


@dataclass(frozen=True, kw_only=True, eq=False)
class Prospect:
    """A layer that might be replaced.

    Attributes:
        node: The node.
        layer: The same as data.
        workload: How often its kernel is applied.
        stacks: What might take its place; ways that have no stack are not there.
    """

    node: ir.Node
    layer: Layer
    workload: Workload
    stacks: Mapping[Way, Sequence[Stack]]


def prospect(
    node: ir.Node, ways: Callable[[Layer], Sequence[Way]], sizes: Sizes, *, step: int, share: float | None
) -> Prospect:
    """A layer with its stacks.

    Args:
        node: The layer; `layers.obstacle` has nothing to say of it.
        ways: How its kernel may be parted.
        sizes: Of values, as `nominal_sizes` gives them.
        step: Ranks are multiples of it, or the highest there is.
        share: Most that a stack may cost, of what the layer costs; None: all ranks there are.
    """
    layer = layer_of(node)
    work = workload(node, layer, sizes)
    most = None if share is None else share * work.dense(layer)
    stacks = {way: [way.stack(layer, ranks) for ranks in _ranks(way.full_ranks(layer), step)] for way in ways(layer)}
    cheap = {way: [own for own in every if most is None or work.of(own) <= most] for way, every in stacks.items()}
    return Prospect(node=node, layer=layer, workload=work, stacks={way: own for way, own in cheap.items() if own})


def _ranks(full: Sequence[int], step: int) -> list[tuple[int, ...]]:
    return list(product(*([*range(step, most, step), most] for most in full)))

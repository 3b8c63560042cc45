"""The ways to part the kernel of a layer, by the name of the form.

    spatial    k x 1, 1 x k, both orders; three axes can be parted in six ways, one axis only as `channel`
    channel    k x k, 1 x 1
    tucker2    1 x 1, k x k, 1 x 1
    auto       all of them

A kernel with a single tap, and a matrix, has one way whatever the name, two matrices.  An axis along which the kernel
has size 1 goes to the first part, so that a stride there makes the rest cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Literal

from onnxpress.decomposition.layer_stacks import Form, Layer, Stack

FormName = Literal["spatial", "channel", "tucker2", "auto"]


@dataclass(frozen=True)
class Way:
    """A form and the axes of its first part, as `Stack` has them."""

    form: Form
    first_axes: tuple[int, ...] = ()

    @classmethod
    def of(cls, stack: Stack) -> Way:
        """The way in which a stack parts its layer."""
        return cls(stack.form, stack.first_axes)

    def stack(self, layer: Layer, ranks: tuple[int, ...]) -> Stack:
        """The stack of these ranks."""
        return Stack(layer=layer, form=self.form, ranks=ranks, first_axes=self.first_axes)

    def full_ranks(self, layer: Layer) -> tuple[int, ...]:
        """The ranks at which nothing is lost."""
        outputs, inputs, *kernel = layer.weight_shape
        if self.form == "tucker2":
            return inputs, outputs
        first = prod(kernel[axis] for axis in self.first_axes)
        return (min(inputs * first, outputs * prod(kernel) // first),)


def ways(name: FormName, layer: Layer) -> tuple[Way, ...]:
    """Every way of that name that `layer` has."""
    every = tuple(range(len(layer.kernel)))
    if prod(layer.kernel) == 1:
        return (Way("low_rank", every),)
    channel = Way("channel", every)
    found = {"spatial": _spatial(layer) or (channel,), "channel": (channel,), "tucker2": (Way("tucker2"),)}
    return found[name] if name != "auto" else tuple(dict.fromkeys(way for own in found.values() for way in own))


def _spatial(layer: Layer) -> tuple[Way, ...]:
    every = range(len(layer.kernel))
    short = [axis for axis in every if layer.kernel[axis] == 1]
    long = [axis for axis in every if layer.kernel[axis] > 1]
    chosen = (tuple(sorted([*own, *short])) for size in range(len(long)) for own in combinations(long, size))
    return tuple(Way("spatial", first) for first in chosen if first)

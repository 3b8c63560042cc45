"""Which tensors have one scale and zero point between them.

Operators that only move numbers need it, and then the tensors hold the same numbers, so that nothing is lost.  Concat
may have it: its output has a scale for the widest input anyway, and an input that nothing else uses gains by being
rounded once instead of twice.  Tensors cut off by a vanished Relu or Clip share only with their like, because the
range must stay cut.

Where integers pass through a Concat without being quantised for it, what is quantised around it anyway shares, so that
they can.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxpress_plugins.quantization.eligibility import Unit, clip


@dataclass(frozen=True, eq=False)
class Group:
    """Tensors with one scale and zero point.

    Attributes:
        values: All of them, in graph order.
        sources: Those whose ranges together are the range of all: calibration need not look at the others.
        limit: Where a vanished Clip cuts them off, infinite for Relu; None when nothing was cut.
    """

    values: tuple[ir.Value, ...]
    sources: tuple[ir.Value, ...]
    limit: float | None


def groups(values: Sequence[ir.Value], units: Sequence[Unit], joined: Iterable[Sequence[ir.Value]] = ()) -> list[Group]:
    """Partition `values`, in graph order, by who must and may share.

    Args:
        values: Every tensor that is quantised, in graph order.
        units: Every node that runs in integers, in topological order.
        joined: Tensors that share as far as they are quantised.
    """
    limits = _limits(units)
    leader = {value: value for value in values}

    def find(value: ir.Value) -> ir.Value:
        while leader[value] is not value:
            value = leader[value]
        return value

    def unite(one: ir.Value, other: ir.Value) -> None:
        leader[find(other)] = find(one)

    for unit in units:
        if unit.rule.shares_scale == "must":
            for output in unit.outputs:
                unite(next(unit.computed()), output)
    sizes = Counter(find(value) for value in values)
    for unit in units:
        if unit.rule.shares_scale == "may" and all(sizes[v] == 1 for v in unit.computed()) and _may_share(unit, limits):
            for value in unit.computed():
                unite(unit.outputs[0], value)
            if (limit := limits.get(next(unit.computed()))) is not None:
                limits[unit.outputs[0]] = limit  # a Concat behind this one sees what was cut off before it
    for tensors in joined:
        quantised = [value for value in tensors if value in leader]
        for value in quantised[1:]:
            unite(quantised[0], value)
    moved = {output for unit in units if unit.rule.shares_scale == "must" for output in unit.outputs}
    members: dict[ir.Value, list[ir.Value]] = {}
    for value in values:
        members.setdefault(find(value), []).append(value)
    return [
        Group(tuple(group), tuple(value for value in group if value not in moved), _limit(group, limits))
        for group in members.values()
    ]


def joined_channels(graph: ir.Graph, multiple: int) -> Iterator[tuple[ir.Value, ...]]:
    """Inputs and output of every Concat along axis 1 whose inputs all have a multiple of so many channels."""
    for node in graph:
        if node.op_type != "Concat" or node.domain or node.attributes.get_int("axis", 0) != 1:
            continue
        inputs = [value for value in node.inputs if value is not None]
        if all(_channels(value) % multiple == 0 for value in inputs):
            yield (*inputs, *node.outputs)


def _channels(value: ir.Value) -> int:
    """The size of axis 1; 1, of which nothing is a multiple, where it is unknown."""
    size = value.shape[1] if value.shape is not None and len(value.shape) > 1 else None
    return size if isinstance(size, int) else 1


def _limits(units: Sequence[Unit]) -> dict[ir.Value, float]:
    """Upper limits of what a vanished activation cut off, seen through operators that move numbers."""
    limits: dict[ir.Value, float] = {}
    for unit in units:
        if unit.activation is not None:
            limit = None if unit.activation.op_type == "Relu" else clip(unit.activation)
            limits[unit.outputs[0]] = math.inf if limit is None else limit
        elif unit.rule.shares_scale == "must" and (source := next(unit.computed())) in limits:
            limits.update((output, limits[source]) for output in unit.outputs)
    return limits


def _limit(group: Iterable[ir.Value], limits: dict[ir.Value, float]) -> float | None:
    return min((limits[value] for value in group if value in limits), default=None)


def _may_share(unit: Unit, limits: dict[ir.Value, float]) -> bool:
    inputs = list(unit.computed())
    alone = all(len(value.uses()) == 1 and not value.is_graph_output() for value in inputs)
    return alone and len({limits.get(value) for value in inputs}) == 1 and unit.activation is None

"""What a Slice takes of every axis, written out."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.constants import array

Bounds = tuple[int, int, int]
"""Start, end and step, as in Python."""

_TO_THE_END = 2**31 - 1
"""An end that is as large as this, or larger, is meant to be that of the axis, however long it is."""


def bounds(node: ir.Node, rank: int) -> dict[int, Bounds] | None:
    """What the Slice `node` takes of those axes that it names, of a tensor of `rank`; None when that is computed."""
    names = ("starts", "ends", "axes", "steps")
    operands = {name: operand for name, operand in zip(names, node.inputs[1:], strict=False) if operand is not None}
    known = {name: array(operand) for name, operand in operands.items()}
    numbers = {name: [int(place) for place in found.reshape(-1)] for name, found in known.items() if found is not None}
    if len(numbers) < len(operands) or not {"starts", "ends"} <= numbers.keys():
        return None
    starts, ends = numbers["starts"], numbers["ends"]
    axes, steps = numbers.get("axes", range(len(starts))), numbers.get("steps", [1] * len(starts))
    return {axis % rank: (start, end, step) for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)}


def takes_all(taken: Bounds, size: int | None) -> bool:
    """Whether `taken` is all of an axis of `size`, None for one that only the run knows."""
    start, end, step = taken
    return (start, step) == (0, 1) and end >= (_TO_THE_END if size is None else size)

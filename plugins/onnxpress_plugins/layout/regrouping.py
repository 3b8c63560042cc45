"""Reshape that joins neighbouring axes, or splits one: it commutes with whatever leaves the neighbours together.

    Reshape(x [N, H, 2, W, C], to [N, 2 H, W, C])    upsampling by repetition, as TensorFlow writes it
    Reshape(x [N, H, W, C], to [N, H, W, g, C / g])  the first half of a channel shuffle

The axes are divided into blocks wherever there are equally many elements before, or behind, in both shapes: by the
sizes that are known, and by the names of those that are open.  A block keeps its axes together, in their order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import TypeAlias

import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.layout.arrangement import Order
from onnxpress_plugins.layout.forms import Form

Shape: TypeAlias = Sequence[int | ir.SymbolicDim]
Block: TypeAlias = tuple[list[int], list[int]]
"""Axes of the input, and the axes of the output that they become."""


def regrouping(node: ir.Node, order: Order) -> Form | None:
    """`order` is one of the input's axes or of the output's, told apart by their number."""
    source, output = node.inputs[0], node.outputs[0]
    if source is None or source.shape is None or output.shape is None or len(source.shape) == len(output.shape):
        return None
    if 0 in source.shape or _copies_sizes(node.inputs[1]):
        return None
    parts = blocks(list(source.shape), list(output.shape))
    side = 0 if len(order) == len(source.shape) else 1
    turned = sorted(parts, key=lambda block: order.index(block[side][0]) if block[side][0] in order else -1)
    before, after = (tuple(axis for block in turned for axis in block[end]) for end in (0, 1))
    if order != (before, after)[side]:
        return None
    return Form(inputs=(before, (0,)), outputs=(after,), picked={1: after})


def _copies_sizes(target: ir.Value | None) -> bool:
    """Whether a shape has a 0 written in it, which stands for the size that the input has at that place."""
    numbers, node = array(target), None if target is None else target.producer()
    if numbers is not None:
        return 0 in numbers
    return node is not None and node.op_type in ("Concat", "Cast") and any(map(_copies_sizes, node.inputs))


def blocks(before: Shape, after: Shape) -> list[Block]:
    """The axes of two shapes that have equally many elements, divided into blocks that have too."""
    cuts = [(0, 0)]
    for ours, theirs in product(range(1, len(before)), range(1, len(after))):
        level = _same(before[:ours], after[:theirs]) or _same(before[ours:], after[theirs:])
        if level and ours > cuts[-1][0] and theirs > cuts[-1][1]:
            cuts.append((ours, theirs))
    cuts.append((len(before), len(after)))
    return [([*range(i, k)], [*range(j, m)]) for (i, j), (k, m) in pairwise(cuts)]


def _same(one: Shape, other: Shape) -> bool:
    """Whether two shapes surely have equally many elements."""
    return ir.SymbolicDim(None) not in (*one, *other) and _elements(one) == _elements(other)


def _elements(shape: Shape) -> tuple[int, list[str]]:
    known = math.prod(size for size in shape if isinstance(size, int))
    return known, sorted(str(size) for size in shape if not isinstance(size, int))

"""What an operator says of the shape of its output, where ONNX's own inference only makes up a name.

| operator                    | the shape of the output                                                          |
|-----------------------------|----------------------------------------------------------------------------------|
| Reshape                     | the target; one size, -1 or unknown, is what the number of elements leaves       |
| Flatten                     | the products of the sizes before and behind the axis                             |
| Tile                        | the input's sizes times the repeats                                              |
| Slice                       | the input's size on every axis that is taken whole                               |
| Unsqueeze, Squeeze          | the input's sizes with a 1 more or less; ONNX does not see axes from outer graphs |
| Expand, MatMul, elementwise | the operands' sizes, where all that are not 1 are equal                          |

All of it holds in every run that gets past the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import prod

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts, Sizes
from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size
from onnxpress_plugins.elementwise import BROADCASTING
from onnxpress_plugins.grouping.slicing import bounds, takes_all


def output_shape(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    """Size of every axis of the node's only output, None for those that are not known; None if nothing is."""
    rule = _RULES.get(node.op_type) if node.domain == "" and len(node.outputs) == 1 else None
    return None if rule is None else rule(node, facts)


def reshaped(source: Sizes | None, target: Contents, *, copies: bool) -> Contents:
    """The shape that Reshape gives.

    Args:
        source: The shape of what is reshaped.
        target: The shape asked for; -1 and, if `copies`, 0 have Reshape's meaning.
        copies: Whether 0 stands for the input's size on that axis; so does then a symbol that is 0 in the run.
    """
    total = None if source is None else prod(source, start=ONE)
    sizes = [_asked(size, axis, source, target, copies=copies) for axis, size in enumerate(target)]
    known = [size for size in sizes if size is not None]
    if total is None or len(known) != len(sizes) - 1:
        return sizes
    place = sizes.index(None)
    if target[place] == Size(-1) or all(map(_is_positive, known)):
        sizes[place] = total.over(prod(known, start=ONE))
    return sizes


def _asked(size: Size | None, axis: int, source: Sizes | None, target: Contents, *, copies: bool) -> Size | None:
    """What `target` alone says of `axis`, whose entry is `size`."""
    here = source[axis] if source is not None and axis < len(source) else None
    if size is None or size == Size(-1):
        return None
    if size.is_number or not copies:
        return here if copies and size == Size(0) else size
    if here is not None and size.vanishes_with(here):
        return size
    others = [other for place, other in enumerate(target) if place != axis]
    alone = source is not None and size.vanishes_with(prod(source, start=ONE)) and all(map(_is_positive, others))
    return size if alone else None


def broadcast(shapes: Sequence[Contents]) -> Contents:
    """The shape of what operands of these shapes give element by element."""
    columns = zip_longest(*(reversed(sizes) for sizes in shapes), fillvalue=ONE)
    return [_common(column) for column in columns][::-1]


def _is_positive(size: Size | None) -> bool:
    return size is not None and size.is_number and size.number > 0


def _common(sizes: Sequence[Size | None]) -> Size | None:
    others = [size for size in sizes if size != ONE]
    numbers = [size for size in others if size is not None and size.is_number]
    if numbers or not others:
        return numbers[0] if numbers else ONE
    return others[0] if all(size == others[0] for size in others) else None


def _reshape(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    target = facts.contents(node.inputs[1])
    copies = node.attributes.get_int("allowzero", 0) == 0
    return None if target is None else reshaped(facts.shape(node.inputs[0]), target, copies=copies)


def _flatten(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, axis = facts.shape(node.inputs[0]), node.attributes.get_int("axis", 1)
    return None if sizes is None else [prod(sizes[:axis], start=ONE), prod(sizes[axis:], start=ONE)]


def _tile(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, repeats = facts.shape(node.inputs[0]), facts.contents(node.inputs[1])
    if sizes is None or repeats is None or len(sizes) != len(repeats):
        return None
    return [None if repeat is None else size * repeat for size, repeat in zip(sizes, repeats, strict=True)]


def _slice(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes = facts.shape(node.inputs[0])
    taken = None if sizes is None else bounds(node, len(sizes))
    if sizes is None or taken is None:
        return None
    return [size if axis not in taken or takes_all(taken[axis], None) else None for axis, size in enumerate(sizes)]


def _unsqueeze(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, axes = facts.shape(node.inputs[0]), _axes(node)
    if sizes is None or axes is None:
        return None
    shape: Contents = [*sizes]
    for axis in sorted(axis % (len(sizes) + len(axes)) for axis in axes):
        shape.insert(axis, ONE)
    return shape


def _squeeze(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, axes = facts.shape(node.inputs[0]), _axes(node)
    if sizes is None or axes is None:
        return None
    gone = {axis % len(sizes) for axis in axes}
    return [size for axis, size in enumerate(sizes) if axis not in gone]


def _axes(node: ir.Node) -> list[int] | None:
    """Constant axes, in the attribute as before opset 13 or in the input."""
    axes = array(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get_ints("axes")
    return None if axes is None else [int(axis) for axis in np.ravel(axes)]


def _expand(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, target = facts.shape(node.inputs[0]), facts.contents(node.inputs[1])
    return None if sizes is None or target is None else broadcast([[*sizes], target])


def _elementwise(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    shapes: list[Contents] = [[*sizes] for value in node.inputs if (sizes := facts.shape(value)) is not None]
    return broadcast(shapes) if len(shapes) == len(node.inputs) else None


def _matmul(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    left, right = (facts.shape(value) for value in node.inputs)
    if left is None or right is None or min(len(left), len(right)) < 2:
        return None
    return [*broadcast([[*left[:-2]], [*right[:-2]]]), left[-2], right[-1]]


_RULES: dict[str, Callable[[ir.Node, ShapeFacts], Contents | None]] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Tile": _tile,
    "Slice": _slice,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Expand": _expand,
    "MatMul": _matmul,
    **dict.fromkeys((*BROADCASTING, "PRelu"), _elementwise),
}

"""Integer tensors that are computed from shapes, element by element: ``Concat(ReduceProd(Gather(Shape(x), 0)), 8)``.

Elements are picked (Gather, Slice), put together (Concat), multiplied, divided where that comes out even, and compared
where one is surely the larger: a size is never negative.  A dimension that only the run knows stays a symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts
from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size

Operation = Callable[[Size, Size], Size | None]

_INTEGERS = (ir.DataType.INT64, ir.DataType.INT32)


def computed(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    """The elements of the node's output; None when it is no list of integers, or nothing is known of it."""
    output = node.outputs[0]
    if node.domain != "" or node.op_type not in _OPERATORS or output.dtype not in _INTEGERS:
        return None
    if output.shape is None or len(output.shape) > 1:
        return None
    contents = _OPERATORS[node.op_type](node, facts)
    limits = np.iinfo(output.dtype.numpy())
    if contents is None or all(size is None or limits.min <= size.number <= limits.max for size in contents):
        return contents
    return None


def _shape(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes = facts.shape(node.inputs[0])
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end")
    return None if sizes is None else [*sizes[start:end]]


def _count(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes = facts.shape(node.inputs[0])
    return None if sizes is None else [prod(sizes, start=ONE)]


def _same(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    return facts.contents(node.inputs[0])


def _concat(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    parts = [facts.contents(part) for part in node.inputs]
    return None if None in parts else [size for part in parts if part is not None for size in part]


def _gather(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes, places = facts.contents(node.inputs[0]), array(node.inputs[1])
    if sizes is None or places is None or not all(-len(sizes) <= place < len(sizes) for place in places.flat):
        return None
    return [sizes[place] for place in places.flat]


def _slice(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes = facts.contents(node.inputs[0])
    bounds = [array(bound) for bound in (*node.inputs[1:3], *node.inputs[4:5])]
    numbers = [int(bound.item()) for bound in bounds if bound is not None and bound.size == 1]
    if sizes is None or len(numbers) != len(bounds) or len(numbers) < 2 or 0 in numbers[2:]:
        return None
    return sizes[slice(*numbers)]


def _reduce_prod(node: ir.Node, facts: ShapeFacts) -> Contents | None:
    sizes = facts.contents(node.inputs[0])
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    given = node.attributes.get_ints("axes", ()) if axes is None else array(axes)
    if sizes is None or given is None or (len(given) == 0 and node.attributes.get_int("noop_with_empty_axes", 0) != 0):
        return None
    return [_fold(_product, sizes)]


def _elementwise(operation: Operation) -> Callable[[ir.Node, ShapeFacts], Contents | None]:
    def apply(node: ir.Node, facts: ShapeFacts) -> Contents | None:
        operands = [sizes for value in node.inputs if (sizes := facts.contents(value)) is not None]
        length = max(map(len, operands), default=0)
        if len(operands) != len(node.inputs) or any(len(sizes) not in (1, length) for sizes in operands):
            return None
        spread = [sizes if len(sizes) == length else sizes * length for sizes in operands]
        return [_fold(operation, column) for column in zip(*spread, strict=True)]

    return apply


def _fold(operation: Operation, sizes: Sequence[Size | None]) -> Size | None:
    result: Size | None = sizes[0] if sizes else ONE
    for size in sizes[1:]:
        result = None if result is None or size is None else operation(result, size)
    return result


def _product(one: Size, other: Size) -> Size:
    return one * other


def _larger(one: Size, other: Size) -> Size | None:
    if one == other or (one.number >= 0 and other.is_number and other.number <= 0):
        return one
    if other.number >= 0 and one.is_number and one.number <= 0:
        return other
    return Size(max(one.number, other.number)) if one.is_number and other.is_number else None


def _smaller(one: Size, other: Size) -> Size | None:
    larger = _larger(one, other)
    return None if larger is None else one if larger == other else other


_OPERATORS: dict[str, Callable[[ir.Node, ShapeFacts], Contents | None]] = {
    "Shape": _shape,
    "Size": _count,
    **dict.fromkeys(("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape"), _same),
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "ReduceProd": _reduce_prod,
    "Mul": _elementwise(_product),
    "Div": _elementwise(Size.over),
    "Max": _elementwise(_larger),
    "Min": _elementwise(_smaller),
}

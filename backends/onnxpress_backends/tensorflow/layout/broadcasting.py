"""Operands of an elementwise operator in one layout, so that TensorFlow broadcasts them as ONNX does.

The layout is the one in which the fewest elements must be moved; constants are moved on paper.  Operands of fewer axes
stand at the end of the ONNX axes, which in another layout is not where TensorFlow would put them: they get axes of
size 1 first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical, move, moves_nothing
from onnxpress_backends.tensorflow.layout.values import Value


def aligned(call: Call, values: Sequence[Value], *, whole: bool = False) -> tuple[list[Tensor], Layout | None]:
    """`values` as tensors that TensorFlow can broadcast against one another, and the layout of what comes of it.

    Args:
        call: The node.
        values: Its operands.
        whole: Constants keep axes of size 1 in front: they are joined, not broadcast.
    """
    if any(value.shape is None for value in values):
        return [value.tensor() for value in values], None
    rank = max((value.rank for value in values), default=0)
    computed = [value for value in values if value.rank == rank and value.constant is None]
    layout = _cheapest(computed, rank)
    if layout.split is not None and not all(_fits(value, layout) for value in values):
        layout = logical(rank)
    whole = whole or not computed
    return [_operand(call, value, layout, whole) for value in values], layout


def _fits(value: Value, layout: Layout) -> bool:
    """Whether `value` lies in a split layout, can be arranged in it on paper, or is one number."""
    assert layout.split is not None and value.shape is not None
    if all(size == 1 for size in value.shape):
        return value.rank in (0, layout.rank)
    if value.constant is None:
        return layout in value.forms
    return value.rank == layout.rank and value.shape[layout.split.axis] == prod(layout.split.sizes)


def _cheapest(values: Sequence[Value], rank: int) -> Layout:
    best, least = logical(rank), None
    for candidate in values:
        layout = candidate.laid.layout
        if layout is None:
            continue
        moved = sum(_moved(value, layout) for value in values)
        if least is None or moved < least:
            best, least = layout, moved
    return best


def _moved(value: Value, layout: Layout) -> int:
    start = value.laid.layout
    if start is None or layout in value.forms or value.shape is None:
        return 0
    sizes = [1 if size is None else size for size in value.shape]
    if start.split is None and layout.split is None and moves_nothing(move(start, layout), start.arrange(sizes)):
        return 0
    return prod(sizes)


def _operand(call: Call, value: Value, layout: Layout, whole: bool) -> Tensor:
    missing = layout.rank - value.rank
    if layout.split is not None and not missing and all(size == 1 for size in value.shape or ()):
        return value.tensor()
    if value.constant is not None and layout.split is None and not whole:
        return _shortened(value, value.constant.shape, missing, layout)
    if not missing:
        return value.tensor(layout)
    if layout.is_logical or value.rank == 0:
        return value.tensor()
    return _lifted(call, value, missing, layout)


def _shortened(value: Value, shape: tuple[int, ...], missing: int, layout: Layout) -> Tensor:
    """A constant without the axes of size 1 in front; TensorFlow would take one of all axes for part of a bias."""
    sizes = [((1,) * missing + shape)[axis] for axis in layout.perm]
    while sizes and sizes[0] == 1:
        del sizes[0]
    perm = tuple(axis - missing for axis in layout.perm if axis >= missing)
    return value.weight(Arrangement(view=shape, perm=perm, shape=tuple(sizes)))


def _lifted(call: Call, value: Value, missing: int, layout: Layout) -> Tensor:
    """A computed operand with axes of size 1 in front, then moved."""
    tensor = value.tensor()
    for _ in range(missing):
        tensor = call.emit("ExpandDims", tensor, call.graph.constant(np.array(0, np.int32)))
    lifted = Value(graph=call.graph, name=value.name, dtype=value.dtype, shape=(1,) * missing + (value.shape or ()))
    lifted.forms[logical(layout.rank)] = tensor
    return lifted.tensor(layout)

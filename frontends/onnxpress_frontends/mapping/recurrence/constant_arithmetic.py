"""The few operators that lay out weights, computed with numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def compute(node: ir.Node, operands: Sequence[Array | None], output: int) -> Array | None:
    """Output number `output` of `node` on constant operands; None if the operator is not one of those here."""
    known = _OPERATORS.get(node.op_type)
    return None if known is None else np.asarray(known(node, operands, output))


def columns(node: ir.Node, operands: Sequence[Array | None], output: int, width: int | None) -> tuple[int, int] | None:
    """The features [start, stop) that a Split or Slice takes of rows of `width`; None if it cuts along another axis."""
    if node.op_type == "Split":
        axis = node.attributes.get_int("axis", 0)
        sizes = _sizes(node, operands, width)
        if axis not in (1, -1) or sizes is None:
            return None
        start = sum(sizes[:output])
        return start, start + sizes[output]
    cuts = _cuts(operands)
    last = cuts.pop(-1, cuts.pop(1, slice(None)))
    if width is None or any(cut.indices(2**31 - 1) != (0, 2**31 - 1, 1) for cut in cuts.values()):
        return None
    start, stop, step = last.indices(width)
    return (start, stop) if step == 1 else None


def _sizes(node: ir.Node, operands: Sequence[Array | None], width: int | None) -> list[int] | None:
    sizes = operands[1] if len(operands) > 1 else None
    if sizes is not None:
        return [int(size) for size in sizes]
    count = len(node.outputs)
    return None if width is None or width % count else [width // count] * count


def _cuts(operands: Sequence[Array | None]) -> dict[int, slice]:
    starts, stops, axes, steps = (_list(operands, index) for index in range(1, 5))
    axes = axes or list(range(len(starts)))
    steps = steps or [1] * len(starts)
    far = 2**31 - 1
    limits = [None if step < 0 and stop < -far + 1 else stop for stop, step in zip(stops, steps, strict=True)]
    return {axis: slice(*bounds) for axis, *bounds in zip(axes, starts, limits, steps, strict=True)}


def _list(operands: Sequence[Array | None], index: int) -> list[int]:
    operand = operands[index] if index < len(operands) else None
    return [] if operand is None else [int(number) for number in operand]


def _slice(node: ir.Node, operands: Sequence[Any], output: int) -> Array:
    data = operands[0]
    cuts = {axis % data.ndim: cut for axis, cut in _cuts(operands).items()}
    part: Array = data[tuple(cuts.get(axis, slice(None)) for axis in range(data.ndim))]
    return part


def _split(node: ir.Node, operands: Sequence[Any], output: int) -> Array:
    axis = node.attributes.get_int("axis", 0)
    sizes = _sizes(node, operands, operands[0].shape[axis]) or []
    parts: list[Array] = np.split(operands[0], np.cumsum(sizes)[:-1], axis)
    return parts[output]


def _squeeze(node: ir.Node, operands: Sequence[Any], output: int) -> Array:
    axes = _list(operands, 1)
    squeezed: Array = np.squeeze(operands[0], tuple(axes) if axes else None)
    return squeezed


def _reshape(node: ir.Node, operands: Sequence[Any], output: int) -> Array:
    data, target = operands[0], _list(operands, 1)
    keeps_zero = node.attributes.get_int("allowzero", 0)
    return np.reshape(data, [data.shape[i] if size == 0 and not keeps_zero else size for i, size in enumerate(target)])


_OPERATORS: Mapping[str, Callable[[ir.Node, Sequence[Any], int], Any]] = {
    "Add": lambda node, operands, output: operands[0] + operands[1],
    "Sub": lambda node, operands, output: operands[0] - operands[1],
    "Mul": lambda node, operands, output: operands[0] * operands[1],
    "Neg": lambda node, operands, output: -operands[0],
    "MatMul": lambda node, operands, output: operands[0] @ operands[1],
    "Transpose": lambda node, operands, output: np.transpose(operands[0], node.attributes.get_ints("perm")),
    "Concat": lambda node, operands, output: np.concatenate(operands, node.attributes["axis"].as_int()),
    "Unsqueeze": lambda node, operands, output: np.expand_dims(operands[0], tuple(_list(operands, 1))),
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
}

"""Operators that treat every channel by itself: where their inputs have the channels, given where the output has them.

| operator                                     | channels of the inputs                                       |
|----------------------------------------------|--------------------------------------------------------------|
| activations, arithmetic, comparisons, Cast   | on the same axis, counted from the end                       |
| Transpose                                    | on the axis that goes there                                  |
| Unsqueeze, Squeeze                           | on the axis that goes there                                  |
| MaxPool, AveragePool, Global...Pool          | on axis 1, as in the output                                  |
| Pad                                          | on the same axis, if that is not padded                      |
| BatchNormalization                           | on axis 1, and on axis 0 of the statistics                   |
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxpress.constants import array
from onnxpress.naming import described
from onnxpress_plugins.elementwise import BROADCASTING, ONE_SIDED, UNARY
from onnxpress_plugins.folding.affine import Obstacle

Axes = list[int | None]
"""Axis of the channels in every input; None where an input has none: it is the same for every channel."""


def keeps_channels(node: ir.Node) -> bool:
    """Whether `node` treats every channel by itself, wherever the channels are."""
    return node.domain == "" and node.op_type in _RULES and len(node.outputs) == 1


def input_axes(node: ir.Node, axis: int) -> Axes:
    """Where the channels of the inputs of `node` are, if those of its output are on `axis`.

    Raises:
        Obstacle: The node mixes them, or where they are cannot be told.
    """
    if not keeps_channels(node):
        raise Obstacle(f"{described(node)} does not treat every channel by itself")
    axes = _RULES[node.op_type](node, axis)
    if axes is None:
        raise Obstacle(f"{described(node)} does not keep axis {axis} apart")
    return axes


def _elementwise(node: ir.Node, axis: int) -> Axes | None:
    from_end = axis - _rank(node.outputs[0], node)
    places = [None if value is None else from_end + _rank(value, node) for value in node.inputs]
    return [None if place is None or place < 0 else place for place in places]


def _transpose(node: ir.Node, axis: int) -> Axes | None:
    order = node.attributes.get_ints("perm", tuple(reversed(range(_rank(node.outputs[0], node)))))
    return [order[axis]]


def _unsqueeze(node: ir.Node, axis: int) -> Axes | None:
    new = _constant_axes(node, _rank(node.outputs[0], node))
    return None if new is None or axis in new else [axis - sum(place < axis for place in new), None]


def _squeeze(node: ir.Node, axis: int) -> Axes | None:
    rank = _rank(node.inputs[0], node)
    gone = _constant_axes(node, rank)
    return None if gone is None else [[place for place in range(rank) if place not in gone][axis], None]


def _pool(node: ir.Node, axis: int) -> Axes | None:
    return [axis] if axis == 1 else None


def _pad(node: ir.Node, axis: int) -> Axes | None:
    pads = array(node.inputs[1])
    if pads is None or len(node.inputs) > 3 or pads.reshape(2, -1)[:, axis].any():
        return None
    return [axis, *[None] * (len(node.inputs) - 1)]


def _batch_norm(node: ir.Node, axis: int) -> Axes | None:
    return [1, 0, 0, 0, 0] if axis == 1 and not node.attributes.get_int("training_mode", 0) else None


def _rank(value: ir.Value | None, node: ir.Node) -> int:
    if value is None or value.shape is None:
        raise Obstacle(f"the rank of what {described(node)} takes and gives is unknown")
    return len(value.shape)


def _constant_axes(node: ir.Node, rank: int) -> set[int] | None:
    axes = array(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get_ints("axes")
    return None if axes is None else {int(axis) % rank for axis in axes}


_RULES: dict[str, Callable[[ir.Node, int], Axes | None]] = {
    **dict.fromkeys((*UNARY, *BROADCASTING, *ONE_SIDED), _elementwise),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"), _pool),
    "Pad": _pad,
    "BatchNormalization": _batch_norm,
}

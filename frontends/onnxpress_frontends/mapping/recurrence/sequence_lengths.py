"""Sizes as they are computed in a graph: two scalars are equal if both are traced back to one axis of one value.

A Loop over the rows of an input says how many steps it makes by a number of its own, ``Shape(x)[1]`` of what the input
is the Transpose of, say.  Only if that is provably the number of rows is the Loop a recurrent node.
"""

from __future__ import annotations

from typing import TypeAlias

import onnx_ir as ir

from onnxpress_frontends.mapping.recurrence.loop_structure import number

Size: TypeAlias = "int | tuple[ir.Value, int]"
"""A number, or the axis of a value that is that long."""

_COPIES = ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape")
_KEEPERS = ("Identity", "Cast", "Relu", "Tanh", "Sigmoid", "ReverseSequence")


def scalar(value: ir.Value) -> Size | None:
    """What a scalar, or a tensor of one element, holds; None if it is no size."""
    known = number(value)
    if known is not None:
        return int(known)
    maker = value.producer()
    if maker is None or maker.inputs[0] is None:
        return None
    if maker.op_type in _COPIES:
        return scalar(maker.inputs[0])
    if maker.op_type in ("Slice", "Gather"):
        position = number(maker.inputs[1])
        is_one = maker.op_type == "Gather" or _takes_one(maker)
        return _element(maker.inputs[0], int(position)) if position is not None and is_one else None
    return None


def size(value: ir.Value, axis: int) -> Size:
    """How long an axis is, as a number, or as the axis of the value furthest back that is surely as long."""
    known = value.shape[axis] if value.shape is not None else None
    if isinstance(known, int):
        return known
    maker = value.producer()
    source = maker.inputs[0] if maker is not None and maker.inputs else None
    if maker is None or source is None:
        return value, axis
    if maker.op_type == "Transpose":
        order = maker.attributes.get_ints("perm")
        return size(source, order[axis]) if order is not None else (value, axis)
    if maker.op_type in _KEEPERS or (maker.op_type in _RECURRENT and axis == 0 and value is maker.outputs[0]):
        return size(source, axis)
    if maker.op_type == "Squeeze" and axis == 0 and number(maker.inputs[1]) == 1:
        return size(source, 0)
    if maker.op_type == "Slice" and _reverses(maker):
        return size(source, axis)
    if axis == 0 and maker.op_type in ("MatMul", "Add") and _is_flatter(maker.inputs[1], value):
        return size(source, 0)
    return value, axis


_RECURRENT = ("LSTM", "GRU", "RNN")


def _reverses(node: ir.Node) -> bool:
    """Whether a Slice takes the whole of one axis, backwards."""
    if len(node.inputs) < 5 or any(value is None or value.shape != (1,) for value in node.inputs[1:]):
        return False
    start, stop, _, step = (number(value) for value in node.inputs[1:])
    return start == step == -1 and stop is not None and stop <= -(2.0**31)


def _is_flatter(constant: ir.Value | None, value: ir.Value) -> bool:
    """Whether an operand has less axes than what is made of it: the first axis is then that of the other operand."""
    tensor = None if constant is None else ir.convenience.get_const_tensor(constant)
    return tensor is not None and value.shape is not None and len(tensor.shape) < len(value.shape)


def _takes_one(node: ir.Node) -> bool:
    start, stop = number(node.inputs[1]), number(node.inputs[2])
    return start is not None and stop is not None and stop == start + 1 and len(node.inputs) < 5


def _element(value: ir.Value, index: int) -> Size | None:
    """Element `index` of a vector of sizes."""
    maker = value.producer()
    if maker is None or maker.inputs[0] is None or index < 0:
        return None
    if maker.op_type in ("Identity", "Cast"):
        return _element(maker.inputs[0], index)
    return size(maker.inputs[0], index) if maker.op_type == "Shape" and not maker.attributes else None

"""Sequences that are read backwards.

TensorFlow reverses the input, and the output again, of a layer that reads it backwards; tf2onnx writes that as a
ReverseSequence over the whole length.  A recurrent node of ONNX reads backwards by itself, and gives its output in the
order of the input: both reversals go.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses
from onnxpress_frontends.mapping.recurrence.sequence_lengths import scalar, size


def reversed_source(value: ir.Value) -> ir.Value | None:
    """The sequence (time first) that `value` is the reversal of; None if it is none."""
    node = value.producer()
    return node.inputs[0] if node is not None and _reverses(node, axis=0) else None


def cancel_reversals(backwards: ir.Value, forwards: ir.Value) -> None:
    """Let what reverses `backwards` again, as it is or transposed, use `forwards` instead.

    Args:
        backwards: A sequence: time, batch, features.
        forwards: The same in reverse order.
    """
    _cancel(backwards, forwards, (0, 1, 2))


def _cancel(value: ir.Value, forwards: ir.Value, order: tuple[int, ...]) -> None:
    """Cancel the reversals of `value`, which is the reverse of `forwards` with its axes in this order."""
    for node in [use.node for use in value.uses()]:
        if _reverses(node, axis=order.index(0)):
            replace_uses(node.outputs[0], _transposed(node, forwards, order))
        elif node.op_type == "Transpose" and not node.domain:
            _cancel(node.outputs[0], forwards, tuple(order[axis] for axis in node.attributes["perm"].as_ints()))


def _transposed(reversal: ir.Node, forwards: ir.Value, order: tuple[int, ...]) -> ir.Value:
    """What takes the place of `reversal`."""
    graph, old = reversal.graph, reversal.outputs[0]
    if order == (0, 1, 2):
        return forwards
    assert graph is not None
    node = ir.Node("", "Transpose", [forwards], [ir.AttrInt64s("perm", order)], name=f"{reversal.name}_undone")
    new = node.outputs[0]
    new.name, new.type, new.shape = f"{old.name}_undone", old.type, old.shape
    graph.insert_before(reversal, node)
    return new


def _reverses(node: ir.Node, *, axis: int) -> bool:
    """Whether a node reverses the whole of `axis`, of every batch."""
    if node.op_type != "ReverseSequence" or node.domain or node.attributes.get_int("time_axis", 0) != axis:
        return False
    value, lengths = node.inputs[0], node.inputs[1]
    if value is None or lengths is None:
        return False
    length = size(value, axis)
    known = ir.convenience.get_const_tensor(lengths)
    if known is not None:
        return isinstance(length, int) and bool(np.all(known.numpy() == length))
    maker = lengths.producer()
    return (
        maker is not None
        and maker.op_type == "Expand"
        and maker.inputs[0] is not None
        and scalar(maker.inputs[0]) == length
    )

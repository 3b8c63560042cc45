"""Write a recurrent cell as a node, in the place of the loop that it was found in.

    Y, Y_h, Y_c = LSTM(X, W, R, B, , h, c)

X is the input of the loop itself: time, batch, features.  What the loop collects is Y without its axis of directions,
and what it ends with is Y_h and Y_c without theirs.  A first state of zeros is left out: that is the operator's own.
An input that is reversed for the loop is read backwards instead, and Y reversed where that is not undone anyway.  The
last row of what is collected is Y_h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress.rewiring import replace_uses
from onnxpress_frontends.mapping.recurrence.cells import Cell
from onnxpress_frontends.mapping.recurrence.loop_structure import LoopStructure, number
from onnxpress_frontends.mapping.recurrence.time_reversal import cancel_reversals, reversed_source


def replace_loop(loop_node: ir.Node, loop: LoopStructure, cell: Cell, source: ir.Value) -> None:
    """Let a recurrent node compute what everything after the loop uses of it."""
    writer = _Writer(loop_node)
    forwards = reversed_source(source)
    node = writer.recurrent(loop, cell, source if forwards is None else forwards, backwards=forwards is not None)
    for carried in loop.kept:
        replace_uses(carried.final, carried.initial)
    for output, index in zip(node.outputs[1:], cell.states, strict=True):
        replace_uses(loop.states[index].final, writer.squeezed(output, 0))
    for _, collected in loop.stacked:
        _use_last_row(collected, node.outputs[1])
        _use_sequence(collected, node.outputs[0], writer, backwards=forwards is not None)
    _remove(loop_node)


def _remove(loop_node: ir.Node) -> None:
    """Remove the loop; the nodes of its body let go of what they use outside."""
    for node in loop_node.attributes["body"].as_graph().all_nodes():
        for index in range(len(node.inputs)):
            node.replace_input_with(index, None)
    assert loop_node.graph is not None
    loop_node.graph.remove(loop_node, safe=True)


def _use_sequence(collected: ir.Value, y: ir.Value, writer: _Writer, *, backwards: bool) -> None:
    """Let Y be used for what the loop has collected."""
    sequence = writer.squeezed(y, 1)
    if backwards:
        cancel_reversals(collected, sequence)
        if not collected.uses() and not collected.is_graph_output():
            return
        sequence = writer.reversed(sequence)
    replace_uses(collected, sequence)


def _use_last_row(collected: ir.Value, last: ir.Value) -> None:
    """Let Y_h, which has one row, be used for the last row of what is collected."""
    for use in list(collected.uses()):
        if use.node.op_type == "Slice" and use.idx == 0 and len(use.node.inputs) == 4:
            start, stop, axis = (number(value) for value in use.node.inputs[1:])
            if start == -1 and axis == 0 and stop is not None and stop >= 2**31 - 1:
                replace_uses(use.node.outputs[0], last)


class _Writer:
    """Makes nodes and constants before a loop, named after it."""

    def __init__(self, loop_node: ir.Node) -> None:
        assert loop_node.graph is not None
        self._loop_node, self._graph = loop_node, loop_node.graph
        self._made = 0

    def recurrent(self, loop: LoopStructure, cell: Cell, source: ir.Value, *, backwards: bool) -> ir.Node:
        first = [self._first_state(loop.states[index].initial) for index in cell.states]
        weights = [self._constant(name, array) for name, array in (("W", cell.w), ("R", cell.r), ("B", cell.b))]
        hidden = cell.r.shape[-1]
        attributes = [
            ir.AttrInt64("hidden_size", hidden),
            ir.AttrString("direction", "reverse" if backwards else "forward"),
            ir.AttrStrings("activations", [activation.name for activation in cell.activations]),
            *(ir.AttrInt64(name, value) for name, value in cell.attributes.items()),
        ]
        for name in ("alpha", "beta"):
            values = [getattr(activation, name) for activation in cell.activations]
            if any(value is not None for value in values):
                attributes.append(ir.AttrFloat32s(f"activation_{name}", [v for v in values if v is not None]))
        outputs = len(cell.states) + 1
        node = self._node(cell.op, [source, *weights, None, *first], attributes, outputs=outputs)
        steps, batch = (None, None) if source.shape is None else source.shape[:2]
        node.outputs[0].shape = ir.Shape([steps, 1, batch, hidden])
        for output in node.outputs[1:]:
            output.shape = ir.Shape([1, batch, hidden])
        return node

    def squeezed(self, value: ir.Value, axis: int) -> ir.Value:
        """`value` without its axis of directions."""
        output = self._node("Squeeze", [value, self._constant("axis", np.array([axis], np.int64))]).outputs[0]
        assert value.shape is not None
        output.shape = ir.Shape([size for index, size in enumerate(value.shape) if index != axis])
        return output

    def reversed(self, value: ir.Value) -> ir.Value:
        """`value` in reverse order along its first axis."""
        numbers = {"last": -1, "before_first": -(2**31), "first_axis": 0, "step": -1}
        operands = [self._constant(name, np.array([number], np.int64)) for name, number in numbers.items()]
        output = self._node("Slice", [value, *operands]).outputs[0]
        output.shape = value.shape
        return output

    def _first_state(self, value: ir.Value) -> ir.Value | None:
        if _is_zero(value):
            return None
        output = self._node("Unsqueeze", [value, self._constant("axis", np.array([0], np.int64))]).outputs[0]
        output.shape = None if value.shape is None else ir.Shape([1, *value.shape])
        return output

    def _node(
        self, op: str, inputs: list[Any], attributes: list[ir.Attr] | None = None, *, outputs: int = 1
    ) -> ir.Node:
        name = self._name(op)
        node = ir.Node("", op, inputs, attributes or [], num_outputs=outputs, name=name)
        for index, output in enumerate(node.outputs):
            output.name, output.dtype = f"{name}:{index}", ir.DataType.FLOAT
        self._graph.insert_before(self._loop_node, node)
        return node

    def _constant(self, name: str, numbers: NDArray[Any]) -> ir.Value:
        tensor = ir.tensor(numbers, name=self._name(name))
        value = ir.Value(
            name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(numbers.shape), const_value=tensor
        )
        self._graph.register_initializer(value)
        return value

    def _name(self, wish: str) -> str:
        self._made += 1
        return f"{self._loop_node.name}/{wish}_{self._made}"


def _is_zero(value: ir.Value) -> bool:
    """Whether a first state is zeros: a constant, or one spread over the batch."""
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is not None:
        return not tensor.numpy().any()
    maker = value.producer()
    if maker is None or maker.op_type not in ("Expand", "ConstantOfShape"):
        return False
    filling = maker.attributes.get("value")
    if maker.op_type == "ConstantOfShape":
        return filling is None or not filling.as_tensor().numpy().any()
    return number(maker.inputs[0]) == 0

"""LSTM, GRU and RNN: the products of the whole input with its weights at once, then a loop over the steps.

Each direction is a loop of its own.  Backwards, the input is reversed before it and what the loop collects after it.  A
sequence that ends early keeps its states, and zeros are collected from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.loops.iterating import (
    Iteration,
    element,
    element_shape,
    reserved,
    size,
    stacked,
    unstacked,
    with_element,
)
from onnxpress_backends.tensorflow.loops.recurrent_activations import activations
from onnxpress_backends.tensorflow.loops.recurrent_cells import GRU, LSTM, RNN, Cell, Kind, columns

_X, _W, _R, _B, _LENGTHS, _H, _C, _P = range(8)
"""The inputs."""

_TIME_FIRST, _BATCH_FIRST = Layout((0, 1, 2)), Layout((1, 0, 2))
"""Layouts in which the first axis is that of the steps, or for a state that of the directions: by attribute layout."""


def recurrent(kind: Kind) -> Rule:
    """The rule of a recurrent operator."""

    def rule(call: Call) -> list[Laid | None]:
        layer = _Layer(call, kind)
        ends = [layer.run(direction) for direction in range(layer.directions)]
        sequences = [end.sequence for end in ends if end.sequence is not None]
        states = list(zip(*(end.states for end in ends), strict=True))
        return [layer.joined_sequence(sequences), *(layer.joined_state(state) for state in states)]

    return rule


@dataclass(frozen=True)
class _End:
    """What a direction gives: the hidden states of all steps, [steps, batch, hidden], if used; the last states."""

    sequence: Tensor | None
    states: Sequence[Tensor]


class _Layer:
    """A recurrent node.

    Args:
        call: The node.
        kind: What its operator has.

    Attributes:
        directions: 1 or 2.
    """

    def __init__(self, call: Call, kind: Kind) -> None:
        self._call, self._kind = call, kind
        direction = call.attribute("direction", "forward")
        self.directions = 2 if direction == "bidirectional" else 1
        self._backwards = (False, True) if self.directions == 2 else (direction == "reverse",)
        self._order = _BATCH_FIRST if call.attribute("layout", 0) else _TIME_FIRST
        _, rows, self._features = call.sizes(_W)
        self._hidden = rows // kind.gates
        self._functions = activations(call, kind.activations * self.directions)
        self._steps, self._batch, _ = self._order.arrange(call.shape(_X))
        self._weights = self._parts(_W, (rows, self._features))
        self._recurrent = self._parts(_R, (rows, self._hidden))
        self._biases = self._parts(_B, (2, rows), turned=False) if call.has(_B) else None
        self._peepholes = self._parts(_P, (3, self._hidden), turned=False) if call.has(_P) else None
        self._first = [self._states(index) for index in (_H, _C)[: kind.states]]
        self._lengths = self._sequence_lengths()

    def run(self, direction: int) -> _End:
        """Write one direction."""
        call, backwards = self._call, self._backwards[direction]
        cell = self._cell(direction)
        inputs = call.tensor(_X, self._order)
        product = call.emit("BatchMatMulV2", self._reversed(inputs) if backwards else inputs, self._weights[direction])
        bias = self._input_bias(direction, cell)
        if bias is not None:
            product = call.emit("BiasAdd", product, bias)
        end = self._loop(cell, product, [first[direction] for first in self._first])
        if backwards and end.sequence is not None:
            return _End(self._reversed(end.sequence), end.states)
        return end

    def _loop(self, cell: Cell, product: Tensor, first: Sequence[Tensor]) -> _End:
        call, dtype, shape = self._call, product.dtype, (self._batch, self._hidden)
        row_shape = (self._batch, self._kind.gates * self._hidden)
        steps = self._size(0)
        rows = unstacked(call, product, row_shape)
        iteration = Iteration(call, steps)
        pen, wanted = iteration.inside, self._is_used(0)
        items = iteration.carry(reserved(call, dtype, shape, steps), (), "sequence") if wanted else None
        states = [iteration.carry(state, shape, name) for state, name in zip(first, ("hidden", "memory"), strict=False)]
        row = element(pen, iteration.body.capture(rows), iteration.step, dtype, row_shape)
        after = self._kind.step(cell.within(iteration.body), pen, row, states)
        result = after[0]
        if self._lengths is not None:
            goes_on = self._goes_on(iteration)
            result = pen.emit("SelectV2", goes_on, result, pen.const(0, dtype))
            after = [pen.emit("SelectV2", goes_on, *pair) for pair in zip(after, states, strict=True)]
        updates = [] if items is None else [with_element(pen, items, iteration.step, result)]
        last = iteration.write([*updates, *after])
        if items is None:
            return _End(None, last)
        return _End(stacked(call, last[0], element_shape(call, shape), dtype), last[1:])

    def _cell(self, direction: int) -> Cell:
        call, count = self._call, len(self._kind.activations)
        peepholes: list[Tensor] = []
        if self._peepholes is not None:
            node = call.emit_node("Unpack", self._peepholes[direction], num=3)
            peepholes = [Tensor(node, index) for index in range(3)]
        apart = bool(call.attribute("linear_before_reset", 0))
        recurrent = self._recurrent[direction]
        clip = call.attribute("clip", 0.0)
        return Cell(
            recurrent=columns(call, recurrent, self._hidden) if self._kind is GRU and not apart else [recurrent],
            recurrent_bias=self._bias(direction)[1] if apart else None,
            peepholes=peepholes,
            activations=self._functions[count * direction : count * (direction + 1)],
            clip=clip or None,
            coupled=bool(call.attribute("input_forget", 0)),
            hidden=self._hidden,
        )

    def _input_bias(self, direction: int, cell: Cell) -> Tensor | None:
        """What is added to the products of the input: both biases, unless the other is added to those of h."""
        if self._biases is None:
            return None
        if cell.recurrent_bias is not None:
            return self._bias(direction)[0]
        return self._call.emit("Sum", self._biases[direction], self._call.const([0], DType.INT32))

    def _bias(self, direction: int) -> list[Tensor]:
        """The bias of the input and that of h, [gates * hidden] each."""
        call = self._call
        if self._biases is None:
            return [call.const([0] * self._kind.gates * self._hidden, call.dtype(_X))] * 2
        node = call.emit_node("Unpack", self._biases[direction], num=2)
        return [Tensor(node, 0), Tensor(node, 1)]

    def _parts(self, index: int, shape: tuple[int, int], *, turned: bool = True) -> list[Tensor]:
        """The weights of each direction, [directions, rows, columns] in ONNX; turned: as [columns, rows] each."""
        order = (1, 0) if turned else (0, 1)
        after = tuple(shape[axis] for axis in order)
        if self.directions == 1:
            return [self._call.weight(index, shape, order, after)]
        perm = (0, *(axis + 1 for axis in order))
        return self._unpacked(self._call.weight(index, (2, *shape), perm, (2, *after)))

    def _unpacked(self, tensor: Tensor) -> list[Tensor]:
        node = self._call.emit_node("Unpack", tensor, num=self.directions)
        return [Tensor(node, index) for index in range(self.directions)]

    def _states(self, index: int) -> list[Tensor]:
        """The first states of each direction, [batch, hidden]."""
        call, dtype = self._call, self._call.dtype(_X)
        if call.has(index):
            return self._unpacked(call.tensor(index, self._order))
        if self._batch is not None:
            zeros = call.const(np.zeros((self._batch, self._hidden)), dtype)
        else:
            sizes = call.emit("Pack", [self._size(1), call.const(self._hidden, DType.INT32)])
            zeros = call.emit("Fill", sizes, call.const(0, dtype))
        return [zeros] * self.directions

    def _size(self, axis: int) -> Tensor:
        """How many steps (0) or sequences (1) there are, an INT32 scalar."""
        return size(self._call, _X, self._order.perm[axis])

    def _sequence_lengths(self) -> Tensor | None:
        """How long each sequence is, [batch]; None where all are as long as there are steps."""
        if not self._call.has(_LENGTHS):
            return None
        known = self._call.constant(_LENGTHS)
        return None if known is not None and (known == self._steps).all() else self._call.tensor(_LENGTHS)

    def _goes_on(self, iteration: Iteration) -> Tensor:
        """Which sequences a step is part of, [batch, 1]."""
        assert self._lengths is not None
        pen = iteration.inside
        inside = pen.emit("Less", iteration.step, iteration.body.capture(self._lengths))
        return pen.emit("ExpandDims", inside, pen.const(1, DType.INT32))

    def _reversed(self, tensor: Tensor) -> Tensor:
        """A tensor [steps, batch, ...] with the steps of each sequence in reverse order."""
        if self._lengths is None:
            return self._call.emit("ReverseV2", tensor, self._call.const([0], DType.INT32))
        return self._call.emit("ReverseSequence", tensor, self._lengths, seq_dim=0, batch_dim=1)

    def _is_used(self, index: int) -> bool:
        outputs = self._call.node.outputs
        return index < len(outputs) and bool(outputs[index].uses() or outputs[index].is_graph_output())

    def joined_sequence(self, sequences: Sequence[Tensor]) -> Laid | None:
        """Y: the directions side by side, [steps, directions, batch, hidden] in memory."""
        layout = logical(4) if self._order is _TIME_FIRST else Layout((1, 2, 0, 3))
        return Laid(self._joined(sequences, 1), layout) if sequences else None

    def joined_state(self, states: Sequence[Tensor]) -> Laid:
        """Y_h or Y_c: [directions, batch, hidden] in memory."""
        return Laid(self._joined(states, 0), self._order)

    def _joined(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        if len(tensors) == 1:
            return self._call.emit("ExpandDims", tensors[0], self._call.const(axis, DType.INT32))
        return self._call.emit("Pack", tensors, axis=axis)


RULES: Mapping[str, Rule] = {
    "GRU": recurrent(GRU),
    "LSTM": recurrent(LSTM),
    "RNN": recurrent(RNN),
}

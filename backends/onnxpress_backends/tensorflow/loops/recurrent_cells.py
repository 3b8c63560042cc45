"""One step of an LSTM, a GRU and a simple RNN, as ONNX defines them.

The input has met its matrix and its bias before the loop: a step is given ``x = X[t] @ W + b``, all gates side by side.

| cell | step                                                                                                       |
|------|------------------------------------------------------------------------------------------------------------|
| LSTM | i, o, f, g = x + h @ R;  c' = f(f + Pf * c) * c + f(i + Pi * c) * g(g);  h' = f(o + Po * c') * h(c')        |
| GRU  | z, r = f(x + h @ R);  n = g(x + (r * h) @ R), or with linear_before_reset g(x + r * (h @ R + Rb));          |
|      | h' = (1 - z) * n + z * h                                                                                   |
| RNN  | h' = f(x + h @ R)                                                                                          |

Source: LSTM, GRU and RNN of the ONNX operator set 22; ``clip`` bounds what goes into f and g, as in onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.loops.recurrent_activations import Activation

Step = Callable[["Cell", Call, Tensor, Sequence[Tensor]], list[Tensor]]
"""Of a cell, a pen, x [batch, gates * hidden] and the states [batch, hidden] before: the states after."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What one of the operators has.

    Attributes:
        gates: Number of gates.
        states: Number of states.
        activations: Of one direction, where the node says nothing.
        step: Writes a step.
    """

    gates: int
    states: int
    activations: tuple[str, ...]
    step: Step


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The cell of one direction.

    Attributes:
        recurrent: R, [hidden, gates * hidden]; of a GRU that resets h first, the columns of z and r and those of n.
        recurrent_bias: [gates * hidden], of a GRU with linear_before_reset; otherwise it is in x.
        peepholes: Pi, Po and Pf, [hidden] each; none but in an LSTM.
        activations: f, g and h, as many as there are.
        clip: Bound of what goes into f and g; None: none.
        coupled: Whether the forget gate is 1 - i.
        hidden: Number of features of a state.
    """

    recurrent: Sequence[Tensor]
    recurrent_bias: Tensor | None
    peepholes: Sequence[Tensor]
    activations: Sequence[Activation]
    clip: float | None
    coupled: bool
    hidden: int

    def within(self, function: Function) -> Cell:
        """The cell as a function sees it."""
        bias = None if self.recurrent_bias is None else function.capture(self.recurrent_bias)
        return replace(
            self,
            recurrent=[function.capture(matrix) for matrix in self.recurrent],
            recurrent_bias=bias,
            peepholes=[function.capture(peephole) for peephole in self.peepholes],
        )

    def gate(self, pen: Call, number: int, *terms: Tensor | None) -> Tensor:
        """Activation `number` of a sum, bounded."""
        total, *rest = [term for term in terms if term is not None]
        for term in rest:
            total = pen.emit("AddV2", total, term)
        if self.clip is not None:
            low, high = pen.const(-self.clip, total.dtype), pen.const(self.clip, total.dtype)
            total = pen.emit("Minimum", pen.emit("Maximum", total, low), high)
        return self.activations[number](pen, total)


def _lstm(cell: Cell, pen: Call, row: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
    hidden, memory = states
    gates = pen.emit("AddV2", row, pen.emit("MatMul", hidden, cell.recurrent[0]))
    enter, leave, forget, new = split(pen, gates, 4)

    def seen(number: int) -> Tensor | None:
        return pen.emit("Mul", cell.peepholes[number], memory) if cell.peepholes else None

    let_in = cell.gate(pen, 0, enter, seen(0))
    kept = _complement(pen, let_in) if cell.coupled else cell.gate(pen, 0, forget, seen(2))
    memory = pen.emit("AddV2", pen.emit("Mul", kept, memory), pen.emit("Mul", let_in, cell.gate(pen, 1, new)))
    let_out = cell.gate(pen, 0, leave, seen(1))
    return [pen.emit("Mul", let_out, cell.activations[2](pen, memory)), memory]


def _gru(cell: Cell, pen: Call, row: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
    (hidden,) = states
    if cell.recurrent_bias is not None:
        product = pen.emit("BiasAdd", pen.emit("MatMul", hidden, cell.recurrent[0]), cell.recurrent_bias)
        update_x, reset_x, new_x = split(pen, row, 3)
        update_h, reset_h, new_h = split(pen, product, 3)
        update, reset = cell.gate(pen, 0, update_x, update_h), cell.gate(pen, 0, reset_x, reset_h)
        new = cell.gate(pen, 1, new_x, pen.emit("Mul", reset, new_h))
    else:
        first, last = columns(pen, row, cell.hidden)
        update, reset = split(pen, cell.gate(pen, 0, first, pen.emit("MatMul", hidden, cell.recurrent[0])), 2)
        new = cell.gate(pen, 1, last, pen.emit("MatMul", pen.emit("Mul", reset, hidden), cell.recurrent[1]))
    return [pen.emit("AddV2", pen.emit("Mul", _complement(pen, update), new), pen.emit("Mul", update, hidden))]


def _rnn(cell: Cell, pen: Call, row: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
    return [cell.gate(pen, 0, row, pen.emit("MatMul", states[0], cell.recurrent[0]))]


def split(pen: Call, tensor: Tensor, count: int) -> list[Tensor]:
    """The gates that stand side by side."""
    node = pen.emit_node("Split", pen.const(1, DType.INT32), tensor, num_split=count)
    return [Tensor(node, index) for index in range(count)]


def columns(pen: Call, tensor: Tensor, hidden: int) -> list[Tensor]:
    """The columns of the first two gates, and those of the third."""
    sizes = pen.const([2 * hidden, hidden], DType.INT32)
    node = pen.emit_node("SplitV", tensor, sizes, pen.const(1, DType.INT32), num_split=2)
    return [Tensor(node, 0), Tensor(node, 1)]


def _complement(pen: Call, tensor: Tensor) -> Tensor:
    return pen.emit("Sub", pen.const(1, tensor.dtype), tensor)


LSTM = Kind(gates=4, states=2, activations=("Sigmoid", "Tanh", "Tanh"), step=_lstm)
GRU = Kind(gates=3, states=1, activations=("Sigmoid", "Tanh"), step=_gru)
RNN = Kind(gates=1, states=1, activations=("Tanh",), step=_rnn)

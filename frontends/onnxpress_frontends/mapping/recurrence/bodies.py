"""Read the body of a recurrent loop as algebra: which affine map of atoms each of its values is.

Constants (weights, and what is computed of weights alone) are computed with numpy; everything else is an affine map.
An operator that is not in the table below ends the attempt: the loop is then no recurrent node of ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress_frontends.mapping.recurrence import constant_arithmetic
from onnxpress_frontends.mapping.recurrence.algebra import (
    CEILING,
    Activation,
    Affine,
    Applied,
    Atom,
    Product,
    State,
    Unmatched,
    clipped,
)
from onnxpress_frontends.mapping.recurrence.loop_structure import LoopStructure, number, origin

Array: TypeAlias = NDArray[Any]
Meaning: TypeAlias = "Affine | tuple[Affine, ...] | Array"
"""Of a value: an affine map, several side by side (a Concat), or a constant."""

_CASTS = ("Identity", "Cast")


class Body:
    """The algebra of one step; if it is `projected`, an input computed as ``X @ W + b`` is taken to be X.

    Attributes:
        row: The atom for the row of the input that a step reads.
        source: The input itself; None until a value that depends on it has been read.
        states: Variable of the body to the atom for what it holds before the step.
    """

    def __init__(self, loop: LoopStructure, graph: ir.Graph, *, projected: bool = False) -> None:
        self.row = Atom()
        self.source: ir.Value | None = None
        self.states = {carried.variable: State(index) for index, carried in enumerate(loop.states)}
        self._loop, self._graph, self._projected = loop, graph, projected
        self._known: dict[ir.Value, Meaning] = {
            carried.variable: Affine(
                {self.states[carried.variable]: None}, width=_features(carried.variable) or _features(carried.initial)
            )
            for carried in loop.states
        }

    def affine(self, value: ir.Value) -> Affine:
        """`value` as one affine map.

        Raises:
            Unmatched: It is none.
        """
        return _single(self._read(value))

    def _read(self, value: ir.Value) -> Meaning:
        value = origin(value)
        value = origin(self._loop.constants.get(value, value))
        if value not in self._known:
            self._known[value] = self._compute(value)
        return self._known[value]

    def _compute(self, value: ir.Value) -> Meaning:
        tensor = ir.convenience.get_const_tensor(value)
        if tensor is not None:
            return tensor.numpy()
        if value in self._loop.rows:
            return self._take(self._loop.rows[value])
        node = value.producer()
        if node is None or node.domain:
            raise Unmatched(f"it depends on {value.name!r}, which is neither its input nor a constant")
        if node.op_type == "Gather":
            return self._gather(node)
        if node.op_type == "Squeeze" and (gather := self._gather_of_one(node)) is not None:
            return self._row_of(gather)
        operands = [None if operand is None else self._read(operand) for operand in node.inputs]
        output = node.outputs.index(value)
        if all(operand is None or isinstance(operand, np.ndarray) for operand in operands):
            folded = constant_arithmetic.compute(node, operands, output)  # type: ignore[arg-type]
            if folded is not None:
                return folded
        if node.op_type not in _OPERATORS:
            raise Unmatched(f"it contains {node.op_type}")
        return _OPERATORS[node.op_type](node, operands, output)

    def _gather(self, node: ir.Node) -> Affine:
        if not self._is_step(node.inputs[1]):
            raise Unmatched("it reads other rows than that of the step")
        return self._row_of(node)

    def _row_of(self, node: ir.Node) -> Affine:
        source = node.inputs[0]
        if node.attributes.get_int("axis", 0) != 0 or source is None:
            raise Unmatched("it reads its input along another axis")
        return self._take(source)

    def _gather_of_one(self, squeeze: ir.Node) -> ir.Node | None:
        """The Gather of a row that is given an axis of length 1 only to be squeezed again."""
        gather = None if squeeze.inputs[0] is None else squeeze.inputs[0].producer()
        index = None if gather is None or gather.op_type != "Gather" or gather.inputs[1] is None else gather.inputs[1]
        lift = None if index is None else origin(index, through=_CASTS).producer()
        is_lifted = lift is not None and lift.op_type == "Unsqueeze" and self._is_step(lift.inputs[0])
        return gather if is_lifted and len(squeeze.inputs) == 2 and number(squeeze.inputs[1]) == 0 else None

    def _take(self, source: ir.Value) -> Affine:
        source = origin(self._loop.constants.get(origin(source), source))
        if source.graph is self._graph:
            raise Unmatched("its input is computed inside of it")
        maker = source.producer()
        if self._projected and maker is not None and maker.op_type in ("MatMul", "Add") and not maker.domain:
            return self._projection(maker)
        if source.shape is None or len(source.shape) != 3:
            raise Unmatched("its input is not known to have the axes time, batch, features")
        if self.source not in (None, source):
            raise Unmatched("it reads several inputs")
        self.source = source
        return Affine({self.row: None}, width=_features(source))

    def _projection(self, node: ir.Node) -> Affine:
        """A row of ``X @ W``, or of ``X + b``."""
        row, constant = (None if value is None else ir.convenience.get_const_tensor(value) for value in node.inputs)
        source = node.inputs[0]
        if source is None or row is not None or constant is None:
            raise Unmatched("its input is no product with a constant")
        return _single(_OPERATORS[node.op_type](node, (self._take(source), constant.numpy()), 0))

    def _is_step(self, value: ir.Value | None) -> bool:
        return value is not None and origin(value, through=_CASTS) in self._loop.step


def _features(value: ir.Value) -> int | None:
    size = value.shape[-1] if value.shape else None
    return size if isinstance(size, int) else None


def _single(meaning: Any) -> Affine:
    if not isinstance(meaning, Affine):
        raise Unmatched("a constant or a Concat stands where a gate should")
    return meaning


def _activate(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    alpha = _SLOPED.get(node.op_type)
    activation = Activation(node.op_type, None if alpha is None else node.attributes.get_float("alpha", alpha))
    argument = _single(operands[0])
    return Affine({Applied(activation, argument): None}, width=argument.width)


def _hard_sigmoid(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    alpha, beta = node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
    return clipped(_single(operands[0]).scaled(alpha).shifted(beta), 0.0, 1.0)


def _clip(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    low, high = (_number(operand) for operand in (*operands, None, None)[1:3])
    return clipped(_single(operands[0]), -np.inf if low is None else low, np.inf if high is None else high)


def _bound(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    """A Max or Min with a number; one of each is a Clip, and a Max with 0 is a Relu."""
    one, two = operands
    if isinstance(one, np.ndarray):
        one, two = two, one
    bound, argument = _number(two), _single(one)
    if bound is None:
        raise Unmatched(f"it contains a {node.op_type} of more than a value and a number")
    inner = argument.atom()
    if isinstance(inner, Applied) and inner.activation.name == CEILING and node.op_type == "Max":
        return clipped(inner.argument, bound, inner.activation.alpha or 0.0)
    if isinstance(inner, Applied) and inner.activation.name == "Relu" and node.op_type == "Min":
        return clipped(inner.argument, 0.0, bound)
    if node.op_type == "Max" and bound != 0:
        raise Unmatched("it contains a Max that is no Relu")
    activation = Activation("Relu") if node.op_type == "Max" else Activation(CEILING, bound)
    return Affine({Applied(activation, argument): None}, width=argument.width)


def _squeeze(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    """The only row of a batch of one, which is added to as if it were a bias."""
    before, after = (value.shape if value is not None else None for value in (node.inputs[0], node.outputs[0]))
    if before is None or after is None or len(before) != 2 or before[0] != 1 or after != before[1:]:
        raise Unmatched("it contains Squeeze")
    return _single(operands[0])


def _matmul(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    left, matrix = operands
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        raise Unmatched("it multiplies by a matrix that is no constant")
    parts = left if isinstance(left, tuple) else (_single(left),)
    widths = [part.width for part in parts]
    if len(parts) > 1 and (None in widths or sum(width or 0 for width in widths) != len(matrix)):
        raise Unmatched("it multiplies a Concat of parts of unknown width")
    total, start = None, 0
    for part in parts:
        stop = len(matrix) if part is parts[-1] else start + (part.width or 0)
        product = part.through(matrix[start:stop])
        total, start = product if total is None else total.plus(product), stop
    return _single(total)


def _gemm(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    factors = [node.attributes.get_float(name, 1.0) for name in ("alpha", "beta")]
    turned = [node.attributes.get_int(name, 0) for name in ("transA", "transB")]
    if factors != [1, 1] or turned[0] or not isinstance(operands[1], np.ndarray):
        raise Unmatched("it contains a Gemm with factors, or one of a transposed value")
    matrix = operands[1].T if turned[1] else operands[1]
    product = _matmul(node, (operands[0], matrix), output)
    return product if len(operands) < 3 or operands[2] is None else _add(node, (product, operands[2]), output)


def _add(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    one, two = operands
    if isinstance(one, np.ndarray):
        one, two = two, one
    if not isinstance(two, np.ndarray):
        return _single(one).plus(_single(two))
    if two.size == 1:
        return _single(one).shifted(float(two.item()))
    if two.size != two.shape[-1]:
        raise Unmatched("a bias has more than one axis")
    return _single(one).plus_vector(two.reshape(-1))


def _subtract(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    one, two = operands
    return _add(node, (one, -two if isinstance(two, np.ndarray) else _single(two).scaled(-1)), output)


def _multiply(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    one, two = operands
    if isinstance(one, np.ndarray):
        one, two = two, one
    if not isinstance(two, np.ndarray):
        one, two = _single(one), _single(two)
        return Affine({Product((one, two)): None}, width=one.width or two.width)
    factor = _number(two)
    if factor is None:
        raise Unmatched("it multiplies by a vector")
    return _single(one).scaled(factor)


def _divide(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    divisor = _number(operands[1])
    if divisor is None:
        raise Unmatched("it divides by more than a number")
    return _single(operands[0]).scaled(1 / divisor)


def _cut(node: ir.Node, operands: Sequence[Any], output: int) -> Affine:
    whole = _single(operands[0])
    if any(operand is not None and not isinstance(operand, np.ndarray) for operand in operands[1:]):
        raise Unmatched("it cuts where it is told to while it runs")
    bounds = constant_arithmetic.columns(node, operands, output, whole.width)
    if bounds is None:
        raise Unmatched("it cuts its values along another axis than the features")
    return whole.columns(*bounds)


def _concatenate(node: ir.Node, operands: Sequence[Any], output: int) -> tuple[Affine, ...]:
    if node.attributes["axis"].as_int() not in (1, -1):
        raise Unmatched("it joins values along another axis than the features")
    return tuple(_single(operand) for operand in operands)


def _number(operand: Any) -> float | None:
    return float(operand.item()) if isinstance(operand, np.ndarray) and operand.size == 1 else None


_SLOPED = {"Elu": 1.0, "LeakyRelu": 0.01}
"""Activations with a slope, to its default."""

_Operator: TypeAlias = Callable[[ir.Node, Sequence[Any], int], "Affine | tuple[Affine, ...]"]
_OPERATORS: Mapping[str, _Operator] = {
    **dict.fromkeys(("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus", *_SLOPED), _activate),
    **dict.fromkeys(("Split", "Slice"), _cut),
    "HardSigmoid": _hard_sigmoid,
    "Clip": _clip,
    **dict.fromkeys(("Max", "Min"), _bound),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Concat": _concatenate,
    "Squeeze": _squeeze,
}

"""Recognise LSTM, GRU and simple RNN cells in the algebra of one step, and lay out their weights for ONNX.

| cell | one step, with gates ``g(x, h) = activation(x @ W + h @ R + b)``                          |
|------|--------------------------------------------------------------------------------------------|
| LSTM | ``c' = f * c + i * g``, ``h' = o * activation(c')``                                         |
| GRU  | ``h' = z * h + (1 - z) * n``, ``n`` an activation of ``x @ W + b + (r * h) @ R`` or, with   |
|      | linear_before_reset, of ``x @ W + b + r * (h @ R + b')``                                    |
| RNN  | ``h' = g(x, h)``                                                                            |

The gates are as in the ONNX operators' definitions.  What differs anywhere (a mask, a clipped state, peepholes, a
normalised gate) does not have this form and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress_frontends.mapping.recurrence.algebra import (
    CEILING,
    LINEAR,
    Activation,
    Affine,
    Applied,
    Atom,
    Matrix,
    Product,
    State,
    Unmatched,
)


@dataclass(frozen=True)
class Cell:
    """A recognised cell, its weights in ONNX's layout with one direction.

    Attributes:
        op: ``LSTM``, ``GRU`` or ``RNN``.
        states: Number of the loop variable that holds h, and for an LSTM of the one that holds c.
        w: Weights of the input, [1, gates * hidden, features].
        r: Weights of the state, [1, gates * hidden, hidden].
        b: Biases of both, [1, 2 * gates * hidden].
        activations: In the node's order.
        attributes: What else the node needs.
    """

    op: str
    states: tuple[int, ...]
    w: NDArray[Any]
    r: NDArray[Any]
    b: NDArray[Any]
    activations: tuple[Activation, ...]
    attributes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Gate:
    activation: Activation
    w: Matrix | None
    r: Matrix | None
    bias: NDArray[Any] | None
    recurrent_bias: NDArray[Any] | None = None


def recognise(row: Atom, updates: dict[State, Affine]) -> Cell:
    """The cell that takes `row` and gives each state its update.

    Raises:
        Unmatched: There is none.
    """
    if len(updates) == 1:
        ((hidden, update),) = updates.items()
        return _gru(row, hidden, update) if _products(update) else _rnn(row, hidden, update)
    if len(updates) == 2:
        (one, two) = updates
        hidden, memory = (one, two) if _is_product(updates[one]) else (two, one)
        return _lstm(row, hidden, memory, updates)
    raise Unmatched(f"it carries {len(updates)} states")


def _rnn(row: Atom, hidden: State, update: Affine) -> Cell:
    return _cell("RNN", (hidden,), [_gate(update, row, hidden)], activations=1)


def _lstm(row: Atom, hidden: State, memory: State, updates: dict[State, Affine]) -> Cell:
    output, seen = _pair(updates[hidden])
    squashed = next((side for side in (seen, output) if _is_of(side, updates[memory])), None)
    if squashed is None:
        raise Unmatched("h is no gate times an activation of c")
    output = output if squashed is seen else seen
    products = _products(updates[memory])
    kept = [product for product in products if memory in (factor.atom() for factor in product.factors)]
    forget = next((gate for old, gate in _both_ways(kept[0]) if old.atom() is memory), None) if kept else None
    if len(products) != 2 or len(kept) != 1 or forget is None:
        raise Unmatched("c is no sum of the old c through a gate, and of a new one")
    (new,) = (product for product in products if product is not kept[0])
    gates = {name: _gate(value, row, hidden) for name, value in (("o", output), ("f", forget))}
    one, two = (_gate(factor, row, hidden) for factor in new.factors)
    enter, candidate = (one, two) if one.activation == gates["f"].activation else (two, one)
    if not gates["o"].activation == gates["f"].activation == enter.activation:
        raise Unmatched("the gates have different activations")
    order = [enter, gates["o"], gates["f"], candidate]
    functions = (enter.activation, candidate.activation, _activation(squashed))
    return _cell("LSTM", (hidden, memory), order, functions=functions)


def _gru(row: Atom, hidden: State, update: Affine) -> Cell:
    products = _products(update)
    kept = [product for product in products if hidden in (factor.atom() for factor in product.factors)]
    mixing = next((gate for old, gate in _both_ways(kept[0]) if old.atom() is hidden), None) if kept else None
    if len(products) != 2 or len(kept) != 1 or mixing is None:
        raise Unmatched("h is no mixture of the old h and a new one")
    (new,) = (product for product in products if product is not kept[0])
    candidate = next((factor for factor, rest in _both_ways(new) if _is_complement(rest, mixing)), None)
    if candidate is None:
        raise Unmatched("the parts of the old and the new h do not add up to one")
    update_gate = _gate(mixing, row, hidden)
    reset, last, before = _reset(candidate, row, hidden)
    reset_gate = _gate(reset, row, hidden)
    if reset_gate.activation != update_gate.activation:
        raise Unmatched("the gates have different activations")
    order = [update_gate, reset_gate, last]
    functions = (update_gate.activation, last.activation)
    return _cell("GRU", (hidden,), order, functions=functions, attributes={"linear_before_reset": int(before)})


def _reset(candidate: Affine, row: Atom, hidden: State) -> tuple[Affine, _Gate, bool]:
    """The reset gate, the gate of the new state, and whether h meets its matrix before it is reset."""
    activation, argument = _split(candidate)
    products = [atom for atom in argument.terms if isinstance(atom, Product)]
    if len(products) != 1 or not set(argument.terms) <= {row, products[0]} or argument.gain != 1 or argument.shift:
        raise Unmatched("the new h is no activation of the input and the reset h")
    product, matrix = products[0], argument.terms[products[0]]
    w = argument.terms.get(row)
    for reset, inner in _both_ways(product):
        if inner.atom() is hidden and matrix is not None:
            return reset, _Gate(activation, w, matrix, argument.bias), False
        if matrix is None and set(inner.terms) == {hidden} and inner.terms[hidden] is not None:
            flat = _gate(inner, row, hidden)
            return reset, _Gate(activation, w, flat.r, argument.bias, flat.bias), True
    raise Unmatched("the new h is no activation of the input and the reset h")


def _gate(value: Affine, row: Atom, hidden: State) -> _Gate:
    activation, argument = _split(value)
    if not argument.terms or not set(argument.terms) <= {row, hidden}:
        raise Unmatched("a gate depends on more than the input and h")
    argument = argument.flat()
    return _Gate(activation, argument.terms.get(row), argument.terms.get(hidden), argument.bias)


def _split(value: Affine) -> tuple[Activation, Affine]:
    atom = value.atom()
    return (atom.activation, atom.argument) if isinstance(atom, Applied) else (LINEAR, value)


def _activation(value: Affine) -> Activation:
    atom = value.atom()
    return atom.activation if isinstance(atom, Applied) else LINEAR


def _is_of(value: Affine, argument: Affine) -> bool:
    """Whether `value` is an activation of `argument`, or `argument` itself."""
    _, inner = _split(value)
    return inner.terms is argument.terms and inner.bias is argument.bias and inner.gain == 1 and not inner.shift


def _is_product(value: Affine) -> bool:
    return isinstance(value.atom(), Product)


def _pair(value: Affine) -> tuple[Affine, Affine]:
    atom = value.atom()
    if not isinstance(atom, Product):
        raise Unmatched("neither state is a product")
    return atom.factors


def _products(value: Affine) -> list[Product]:
    """The products that `value` is the plain sum of; none if it is anything else."""
    plain = value.bias is None and value.gain == 1 and not value.shift
    plain = plain and all(coefficient is None for coefficient in value.terms.values())
    products = [atom for atom in value.terms if isinstance(atom, Product)]
    return products if plain and len(products) == len(value.terms) else []


def _both_ways(product: Product) -> tuple[tuple[Affine, Affine], tuple[Affine, Affine]]:
    one, two = product.factors
    return (one, two), (two, one)


def _is_complement(value: Affine, other: Affine) -> bool:
    """Whether ``value = 1 - other``, `other` being an atom."""
    atom = other.atom()
    return atom is not None and value.scaled(-1).shifted(1).atom() is atom


def _cell(
    op: str,
    states: tuple[State, ...],
    gates: Sequence[_Gate],
    *,
    functions: tuple[Activation, ...] = (),
    activations: int = 0,
    attributes: dict[str, int] | None = None,
) -> Cell:
    """Stack the gates' weights; a matrix that a gate lacks is zero, and a bias too."""
    known_w = next((gate.w for gate in gates if gate.w is not None), None)
    known_r = next((gate.r for gate in gates if gate.r is not None), None)
    if known_w is None or known_r is None:
        raise Unmatched("it has no weights for the input or for the state")
    hidden = known_r.shape[1]
    if any(m is not None and m.shape != known_r.shape for m in (gate.r for gate in gates)) or len(known_r) != hidden:
        raise Unmatched("its recurrent weights are not square")
    functions = functions or tuple(gate.activation for gate in gates[:activations])
    if any(activation.name == CEILING for activation in functions):
        raise Unmatched("a gate is limited from above alone")
    dtype = known_w.dtype
    w, r = (
        np.concatenate([np.zeros_like(known) if m is None else m for m in matrices], 1).T[None].astype(dtype)
        for known, matrices in ((known_w, [gate.w for gate in gates]), (known_r, [gate.r for gate in gates]))
    )
    biases = [*(gate.bias for gate in gates), *(gate.recurrent_bias for gate in gates)]
    b = np.concatenate([np.zeros(hidden) if bias is None else bias for bias in biases])[None].astype(dtype)
    indices = tuple(state.index for state in states)
    return Cell(op, indices, np.ascontiguousarray(w), np.ascontiguousarray(r), b, functions, attributes or {})

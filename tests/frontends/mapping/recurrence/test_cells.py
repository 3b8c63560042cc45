"""Cells put together from their algebra, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress_frontends.mapping.recurrence.algebra import Activation, Affine, Applied, Atom, Product, State, Unmatched
from onnxpress_frontends.mapping.recurrence.cells import recognise

ROW, H, C = Atom(), State(0), State(1)
GENERATOR = np.random.default_rng(0)


def gate(function: str | None = "Sigmoid") -> Affine:
    matrices = {ROW: GENERATOR.standard_normal((3, 2)), H: GENERATOR.standard_normal((2, 2))}
    inner = Affine(matrices, width=2)
    return inner if function is None else Affine({Applied(Activation(function), inner): None}, width=2)


def state(atom: State) -> Affine:
    return Affine({atom: None}, width=2)


def times(one: Affine, other: Affine) -> Affine:
    return Affine({Product((one, other)): None}, width=2)


def complement(value: Affine) -> Affine:
    return value.scaled(-1).shifted(1)


def candidate(reset: Affine) -> Affine:
    product = times(reset, state(H)).through(GENERATOR.standard_normal((2, 2)))
    inner = Affine({ROW: GENERATOR.standard_normal((3, 2))}, width=2).plus(product)
    return Affine({Applied(Activation("Tanh"), inner): None}, width=2)


def test_weights_are_laid_out_gate_by_gate() -> None:
    update, reset = gate(), gate()
    cell = recognise(ROW, {H: times(update, state(H)).plus(times(complement(update), candidate(reset)))})
    assert cell.op == "GRU" and cell.attributes == {"linear_before_reset": 0} and cell.states == (0,)
    assert (cell.w.shape, cell.r.shape, cell.b.shape) == ((1, 6, 3), (1, 6, 2), (1, 12))
    ((applied, _),) = reset.terms.items()
    assert isinstance(applied, Applied)
    np.testing.assert_array_equal(cell.w[0, 2:4].T, applied.argument.terms[ROW])
    np.testing.assert_array_equal(cell.r[0, 2:4].T, applied.argument.terms[H])


@pytest.mark.parametrize("function", ["Sigmoid", None])
def test_a_mixture_by_two_gates_is_no_gru(function: str | None) -> None:
    update = times(gate(function), state(H)).plus(times(complement(gate(function)), candidate(gate())))
    with pytest.raises(Unmatched, match="the parts of the old and the new h do not add up to one"):
        recognise(ROW, {H: update})


def test_an_lstm_whose_h_comes_from_the_old_c_is_none() -> None:
    memory = times(gate(), state(C)).plus(times(gate(), gate("Tanh")))
    hidden = times(gate(), Affine({Applied(Activation("Tanh"), state(C)): None}, width=2))
    with pytest.raises(Unmatched, match="h is no gate times an activation of c"):
        recognise(ROW, {H: hidden, C: memory})


def test_a_squared_state_is_no_gate() -> None:
    memory = times(state(C), state(C)).plus(times(gate(), gate("Tanh")))
    hidden = times(gate(), Affine({Applied(Activation("Tanh"), memory): None}, width=2))
    with pytest.raises(Unmatched, match="a gate depends on more than the input and h"):
        recognise(ROW, {H: hidden, C: memory})


def test_a_gate_that_is_limited_from_above_alone_is_none() -> None:
    with pytest.raises(Unmatched, match="a gate is limited from above alone"):
        recognise(ROW, {H: gate("Min")})


def test_a_layer_without_recurrence_is_none() -> None:
    inner = Affine({ROW: GENERATOR.standard_normal((3, 2))}, width=2)
    with pytest.raises(Unmatched, match="it has no weights for the input or for the state"):
        recognise(ROW, {H: inner})

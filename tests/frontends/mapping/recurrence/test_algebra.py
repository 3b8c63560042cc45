"""Affine maps compute what numpy computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxpress_frontends.mapping.recurrence.algebra import (
    Activation,
    Affine,
    Applied,
    Atom,
    Product,
    Unmatched,
    clipped,
)

ROW = Atom()
VALUE = np.random.default_rng(0).standard_normal((5, 3))
NUMBERS = st.floats(-2, 2).filter(lambda number: abs(number) > 0.1)


def evaluate(affine: Affine) -> NDArray[Any]:
    total: Any = 0.0 if affine.bias is None else affine.bias
    for atom, coefficient in affine.terms.items():
        total = total + (_value(atom) if coefficient is None else _value(atom) @ coefficient)
    return np.asarray(affine.gain * total + affine.shift)


def _value(atom: Atom) -> NDArray[Any]:
    if isinstance(atom, Product):
        return evaluate(atom.factors[0]) * evaluate(atom.factors[1])
    if isinstance(atom, Applied):
        u, activation = evaluate(atom.argument), atom.activation
        if activation.name == "HardSigmoid":
            assert activation.alpha is not None and activation.beta is not None
            return np.clip(activation.alpha * u + activation.beta, 0, 1)
        return np.tanh(u)
    return VALUE


@given(NUMBERS, st.floats(-2, 2), NUMBERS, st.integers(0, 99))
def test_operations(gain: float, shift: float, other: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second, last = (generator.standard_normal(shape) for shape in ((3, 4), (4, 6), (3, 6)))
    bias = generator.standard_normal(6)
    row = Affine({ROW: None}, width=3)
    value = row.through(first).scaled(gain).shifted(shift).through(second).scaled(other)
    expected = other * ((gain * VALUE @ first + shift) @ second)
    np.testing.assert_allclose(evaluate(value), expected, atol=1e-12)
    value, expected = value.plus_vector(bias).plus(row.through(last)), expected + bias + VALUE @ last
    np.testing.assert_allclose(evaluate(value), expected, atol=1e-12)
    np.testing.assert_allclose(evaluate(value.shifted(shift).flat()), expected + shift, atol=1e-12)
    np.testing.assert_allclose(evaluate(value.columns(2, 5)), expected[:, 2:5], atol=1e-12)
    squashed = Affine({Applied(Activation("Tanh"), value): None}, width=6)
    np.testing.assert_allclose(evaluate(squashed.columns(2, 5)), np.tanh(expected)[:, 2:5], atol=1e-12)


@given(NUMBERS, st.floats(-2, 2), st.floats(-2, 0), st.floats(0.1, 2))
def test_a_clip_is_a_hard_sigmoid(gain: float, shift: float, low: float, span: float) -> None:
    argument = Affine({ROW: None}, width=3).scaled(gain).shifted(shift)
    actual = evaluate(clipped(argument, low, low + span))
    np.testing.assert_allclose(actual, np.clip(gain * VALUE + shift, low, low + span), atol=1e-9)


def test_a_sixth_of_six_is_one_in_single_precision() -> None:
    value = clipped(Affine({ROW: None}, width=3), 0.0, 6.0).scaled(float(np.float32(1 / 6)))
    assert isinstance(value.atom(), Applied)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda row: row.columns(0, 1), "an input or a state is cut into parts"),
        (lambda row: row.plus(row.scaled(2.0)), "gates are weighted by numbers other than one"),
        (lambda row: row.plus(row), "an input or a state is used beside a product with it"),
        (lambda row: row.flat(), "an input, a state or a gate is used without a matrix"),
        (lambda row: row.through(np.ones((2, 2))), "a matrix product does not fit"),
        (lambda row: clipped(row, 0.0, np.inf), "a Clip is no HardSigmoid"),
    ],
)
def test_what_has_no_form(build: Any, reason: str) -> None:
    with pytest.raises(Unmatched, match=reason):
        build(Affine({ROW: None}, width=3))

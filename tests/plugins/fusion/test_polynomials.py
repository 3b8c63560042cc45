"""Polynomials compute as the numbers they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress_plugins.fusion.polynomials import Polynomial

X, R = Polynomial.variable("X"), Polynomial.variable("R")
NUMBERS = {"X": 1.25, "R": -0.5}

numbers = st.integers(-4, 4).map(float)
leaves = numbers.map(Polynomial.constant) | st.sampled_from([X, R, R**-1])


def value(polynomial: Polynomial) -> Any:
    return sum(
        coefficient * np.prod([NUMBERS[name] ** power for name, power in monomial])
        for monomial, coefficient in polynomial.terms.items()
    )


@given(leaves, leaves, leaves)
def test_they_are_a_ring(a: Polynomial, b: Polynomial, c: Polynomial) -> None:
    np.testing.assert_allclose(value(a * (b + c) - c), value(a) * (value(b) + value(c)) - value(c), rtol=1e-12)
    assert (a * (b + c)).is_close(c * a + b * a, rtol=1e-12)
    assert not (a - a).terms


@given(leaves, st.integers(0, 3))
def test_powers(a: Polynomial, exponent: int) -> None:
    np.testing.assert_allclose(value((a + R) ** exponent), (value(a) + value(R)) ** exponent, rtol=1e-12)


def test_a_quantity_and_its_inverse_cancel() -> None:
    assert (X * R * R**-2 * R).is_close(X, rtol=0)
    np.testing.assert_allclose(value((X * R * 4) ** -2), value(X * R * 4) ** -2, rtol=1e-12)


def test_coefficients_are_arrays() -> None:
    gamma = np.array([1.0, 2, 3])
    read = gamma * X + X - X * np.array([[2.0], [1.0]])
    np.testing.assert_array_equal(read.factor(X), [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_array_equal(read.factor(R), 0)


def test_a_term_that_is_zero_everywhere_is_none() -> None:
    assert not (X * np.zeros(3)).terms
    assert (X * np.array([0.0, 1])).terms


@pytest.mark.parametrize(
    ("read", "allowed"), [(R * 2, True), (R**2, True), (X, False), (R + 1, False), (R * np.array([0.0, 1]), False)]
)
def test_what_one_may_divide_by(read: Polynomial, allowed: bool) -> None:
    assert read.divides(frozenset("R")) is allowed


def test_close_is_relative_and_by_term() -> None:
    assert (X * 1.0001 + R).is_close(X + R, rtol=2e-4)
    assert not (X * 1.0001 + R).is_close(X + R, rtol=5e-5)
    assert not (X + R * 1e-9).is_close(X, rtol=1)

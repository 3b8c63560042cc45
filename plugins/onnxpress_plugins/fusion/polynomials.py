"""Polynomials in named quantities, so that two ways to write a formula can be seen to be one.

    gamma * (X - M) * R**-1 + beta    has the terms    {X R^-1: gamma, M R^-1: -gamma, 1: beta}

whatever the order in which it was computed.  Coefficients are float64 arrays that broadcast, powers are integers and
may be negative.  A term whose coefficient is zero everywhere is no term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Coefficient = NDArray[np.float64]

Monomial = tuple[tuple[str, int], ...]
"""Names and their powers, sorted by name, no power zero: ``(("R", -1), ("X", 1))``."""


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A sum of products of named quantities.

    Attributes:
        terms: The coefficient of every product.
    """

    terms: Mapping[Monomial, Coefficient]

    __array_ufunc__ = None  # so that an array times a polynomial is a polynomial, not an array of them

    @classmethod
    def constant(cls, numbers: Any) -> Polynomial:
        """The polynomial that is `numbers`, of any shape."""
        return _without_zeros({(): np.asarray(numbers, np.float64)})

    @classmethod
    def variable(cls, name: str) -> Polynomial:
        """The quantity called `name`."""
        return cls({((name, 1),): np.ones(())})

    def __add__(self, other: Polynomial | Coefficient | float) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in _polynomial(other).terms.items():
            terms[monomial] = terms.get(monomial, np.zeros(())) + coefficient
        return _without_zeros(terms)

    def __mul__(self, other: Polynomial | Coefficient | float) -> Polynomial:
        total = Polynomial({})
        for one, a in self.terms.items():
            for two, b in _polynomial(other).terms.items():
                total += Polynomial({_product(one, two): a * b})
        return total

    def __neg__(self) -> Polynomial:
        return self * -1.0

    def __sub__(self, other: Polynomial | Coefficient | float) -> Polynomial:
        return self + -_polynomial(other)

    def __pow__(self, exponent: int) -> Polynomial:
        """A power; a negative one only of a single term whose coefficient is nowhere zero."""
        if exponent < 0:
            ((monomial, coefficient),) = self.terms.items()
            return Polynomial({tuple((name, -power) for name, power in monomial): 1 / coefficient}) ** -exponent
        result = Polynomial.constant(1)
        for _ in range(exponent):
            result *= self
        return result

    __radd__ = __add__
    __rmul__ = __mul__

    def divides(self, names: frozenset[str]) -> bool:
        """Whether one may divide by it, given that the quantities called `names` are never zero."""
        if len(self.terms) != 1:
            return False
        ((monomial, coefficient),) = self.terms.items()
        return bool(np.all(coefficient)) and names.issuperset(name for name, _ in monomial)

    def factor(self, product: Polynomial) -> Coefficient:
        """The coefficient of a product such as ``X * R**-1``, zero if there is no such term."""
        (monomial,) = product.terms
        return self.terms.get(monomial, np.zeros(()))

    def is_close(self, other: Polynomial, *, rtol: float) -> bool:
        """Whether both have the same terms, with coefficients that differ by `rtol` of their size at most."""
        return self.terms.keys() == other.terms.keys() and all(
            np.allclose(coefficient, other.terms[monomial], rtol, 0) for monomial, coefficient in self.terms.items()
        )


def _polynomial(value: Polynomial | Coefficient | float) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial.constant(value)


def _without_zeros(terms: Mapping[Monomial, Coefficient]) -> Polynomial:
    return Polynomial({monomial: coefficient for monomial, coefficient in terms.items() if np.any(coefficient)})


def _product(one: Monomial, two: Monomial) -> Monomial:
    powers = dict(one)
    for name, power in two:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted((name, power) for name, power in powers.items() if power))

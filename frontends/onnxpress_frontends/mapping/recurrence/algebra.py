"""What one step of a recurrent loop computes, as algebra.

Every value of the step is one *affine map*

    gain * (sum over atoms of atom @ coefficient + bias) + shift

of *atoms*: the row of the input that the step reads, the states as the step found them, activations of affine maps,
and elementwise products of two of them.  Gain and shift are numbers, kept apart because a hard sigmoid is a Clip of an
affine map, and its slope and offset are attributes of its own in ONNX.  A coefficient is a matrix, or None where an
atom enters as it is.  Two values are the same when they are the same object: the graph is free of duplicates by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]


class Unmatched(Exception):
    """The loop does not compute what an LSTM, GRU or RNN node does; says why."""


@dataclass(frozen=True, eq=False)
class Atom:
    """The row that a step reads from the input of the loop; subclasses are the other atoms."""


@dataclass(frozen=True, eq=False)
class State(Atom):
    """What the step before left in loop variable number `index`."""

    index: int


@dataclass(frozen=True, eq=False)
class Applied(Atom):
    """An activation of ONNX's recurrent nodes, applied to each element."""

    activation: Activation
    argument: Affine


@dataclass(frozen=True, eq=False)
class Product(Atom):
    """Two affine maps multiplied element by element."""

    factors: tuple[Affine, Affine]


@dataclass(frozen=True)
class Activation:
    """An activation by its ONNX name; None for a parameter that it does not take."""

    name: str
    alpha: float | None = None
    beta: float | None = None


LINEAR = Activation("Affine", 1.0, 0.0)
CEILING = "Min"
"""Half of a Clip: ``Min(x, alpha)``, which is no activation of ONNX's nodes by itself."""


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map of atoms; `width` is its number of features, None where it is not known."""

    terms: Mapping[Atom, Matrix | None]
    bias: NDArray[Any] | None = None
    gain: float = 1.0
    shift: float = 0.0
    width: int | None = None

    def atom(self) -> Atom | None:
        """The atom that this map hands on unchanged, if it does only that."""
        if len(self.terms) != 1 or self.bias is not None or not _is_one(self.gain) or self.shift:
            return None
        ((atom, coefficient),) = self.terms.items()
        return atom if coefficient is None else None

    def scaled(self, factor: float) -> Affine:
        """The map times a number."""
        return replace(self, gain=self.gain * factor, shift=self.shift * factor)

    def shifted(self, offset: float) -> Affine:
        """The map plus a number."""
        return replace(self, shift=self.shift + offset)

    def plus(self, other: Affine) -> Affine:
        """The sum of two maps of the same width."""
        one, two = (self, other) if self.gain == other.gain else (self._settled(), other._settled())
        terms = dict(one.terms)
        for atom, coefficient in two.terms.items():
            terms[atom] = _sum(terms[atom], coefficient) if atom in terms else coefficient
        bias = one.bias if two.bias is None else two.bias if one.bias is None else one.bias + two.bias
        return Affine(terms, bias, one.gain, one.shift + two.shift, one.width or two.width)

    def plus_vector(self, vector: NDArray[Any]) -> Affine:
        """The map plus a bias [width]."""
        return self.plus(Affine({}, vector, width=len(vector)))

    def through(self, matrix: Matrix) -> Affine:
        """The map ``self @ matrix``."""
        if self.width not in (None, len(matrix)):
            raise Unmatched("a matrix product does not fit")
        shift = self.shift * matrix.sum(0) if self.shift else None
        bias = None if self.bias is None else self.gain * (self.bias @ matrix)
        terms = {
            atom: self._gained(matrix if coefficient is None else coefficient @ matrix)
            for atom, coefficient in self.terms.items()
        }
        parts = [part for part in (bias, shift) if part is not None]
        return Affine(terms, sum(parts[1:], parts[0]) if parts else None, width=matrix.shape[1])

    def columns(self, start: int, stop: int) -> Affine:
        """The features from `start` to `stop`."""
        atom = self.atom()
        if isinstance(atom, Applied):
            part = Applied(atom.activation, atom.argument.columns(start, stop))
            return replace(self, terms={part: None}, width=stop - start)
        terms = {atom: _columns(coefficient, start, stop) for atom, coefficient in self.terms.items()}
        bias = None if self.bias is None else self.bias[start:stop]
        return replace(self, terms=terms, bias=bias, width=stop - start)

    def flat(self) -> Affine:
        """The same map with gain 1 and shift 0, its atoms all going through matrices."""
        matrices = [coefficient for coefficient in self.terms.values() if coefficient is not None]
        if not matrices or len(matrices) < len(self.terms):
            raise Unmatched("an input, a state or a gate is used without a matrix")
        settled = self._settled()
        if not settled.shift:
            return settled
        lift = np.full(matrices[0].shape[1], settled.shift, matrices[0].dtype)
        return replace(settled, shift=0.0, bias=lift if settled.bias is None else settled.bias + lift)

    def _settled(self) -> Affine:
        """The same map with gain 1, for a sum with a map of another gain."""
        if _is_one(self.gain):
            return replace(self, gain=1.0)
        if any(coefficient is None for coefficient in self.terms.values()):
            raise Unmatched("gates are weighted by numbers other than one")
        terms = {atom: self._gained(matrix) for atom, matrix in self.terms.items() if matrix is not None}
        return replace(self, terms=terms, bias=None if self.bias is None else self._gained(self.bias), gain=1.0)

    def _gained(self, array: NDArray[Any]) -> NDArray[Any]:
        return array if _is_one(self.gain) else array * array.dtype.type(self.gain)


def clipped(argument: Affine, low: float, high: float) -> Affine:
    """``Clip(argument, low, high)``: a HardSigmoid, stretched to the interval."""
    span = high - low
    if not 0 < span < np.inf:
        raise Unmatched("a Clip is no HardSigmoid")
    activation = Activation("HardSigmoid", argument.gain / span, (argument.shift - low) / span)
    inner = replace(argument, gain=1.0, shift=0.0)
    return Affine({Applied(activation, inner): None}, gain=span, shift=low, width=argument.width)


def _is_one(number: float) -> bool:
    """6 * (1 / 6) counts, in single precision."""
    return abs(number - 1) < 2.0**-22


def _sum(one: Matrix | None, two: Matrix | None) -> Matrix:
    if one is None or two is None:
        raise Unmatched("an input or a state is used beside a product with it")
    total: Matrix = one + two
    return total


def _columns(coefficient: Matrix | None, start: int, stop: int) -> Matrix:
    if coefficient is None:
        raise Unmatched("an input or a state is cut into parts")
    return coefficient[:, start:stop]

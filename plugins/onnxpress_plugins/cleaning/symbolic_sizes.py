"""Sizes of which only a part is known: a number times dimensions that the run decides, such as ``16 N`` or ``2 H W``.

Products of sizes are sizes; so are quotients that come out even, ``16 N / 2 N = 8``.  Two sizes are equal if number and
symbols are: different symbols are never taken to be equal, nor one to be another number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Symbol = str | tuple[str | None, int]
"""A dimension by its name; one without a name by the value and the axis that have it."""


@dataclass(frozen=True)
class Size:
    """``number * product(symbols)``; a symbol stands for a number that is not negative."""

    number: int
    symbols: Counter[Symbol] = field(default_factory=Counter)

    @classmethod
    def of(cls, symbol: Symbol) -> Size:
        """The size that `symbol` stands for."""
        return cls(1, Counter([symbol]))

    @property
    def is_number(self) -> bool:
        """Whether all of it is known."""
        return not self.symbols

    @property
    def symbol(self) -> Symbol | None:
        """The symbol that is all of it; None when it is anything else."""
        return next(iter(self.symbols)) if self.number == 1 and self.symbols.total() == 1 else None

    def __mul__(self, other: Size) -> Size:
        number = self.number * other.number
        return Size(number, self.symbols + other.symbols if number else Counter())

    def over(self, other: Size) -> Size | None:
        """The quotient; None when it is no size, or none for all values of the symbols."""
        if other.number == 0 or self.number % other.number or not other.symbols <= self.symbols:
            return None
        return Size(self.number // other.number, self.symbols - other.symbols)

    def vanishes_with(self, other: Size) -> bool:
        """Whether `other` is 0 wherever this is."""
        return self.number != 0 and self.symbols.keys() <= other.symbols.keys()


ONE = Size(1)

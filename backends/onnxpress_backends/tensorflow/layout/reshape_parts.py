"""The small reshapes that one is a row of: ``[N, C, H, W] -> [N, G, C/G, HW]`` is ``N -> N, C -> G C/G, H W -> HW``.

Sizes that are not known take part as primes that no product of known ones makes; the one size of the result that is
left over is the fraction of such products that it must be.  Axes belong together where the products of both sides are
equal, which then holds for any sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod

from onnxpress_backends.tensorflow.layout.layouts import Shape

Part = tuple[tuple[int, ...], tuple[int, ...]]
"""Axes before, axes after."""

_PRIMES = tuple(2**power - 1 for power in (61, 89, 107, 127, 521, 607, 1279, 2203, 2281, 3217))
"""Mersenne primes, one for each axis; what has more axes is one part."""


def parts(source: Shape, target: Shape, copies: Mapping[int, int] | None = None) -> list[Part]:
    """The smallest reshapes that make up one, in the order of their axes.

    Args:
        source: Sizes before.
        target: Sizes after.
        copies: For axes after, the axis before whose size they have.
    """
    whole: Part = tuple(range(len(source))), tuple(range(len(target)))
    if len(source) > len(_PRIMES) or 0 in source or 0 in target:
        return [whole]
    before: list[Fraction | None] = [
        Fraction(prime if size is None else size) for size, prime in zip(source, _PRIMES, strict=False)
    ]
    after = [None if size is None else Fraction(size) for size in target]
    for axis, origin in (copies or {}).items():
        after[axis] = before[origin]
    if source.count(None) == 1 and None not in after:
        before[source.index(None)] = None
    numbers = _settled(before, after)
    return [whole] if numbers is None else _paired(*numbers)


def _settled(
    before: Sequence[Fraction | None], after: Sequence[Fraction | None]
) -> tuple[list[Fraction], list[Fraction]] | None:
    """Both sides with the one number that is left, so that their products are equal; None when more are left."""
    sides = [list(before), list(after)]
    products = [prod((number for number in side if number is not None), start=Fraction(1)) for side in sides]
    left = [(side, axis) for side, numbers in enumerate(sides) for axis, number in enumerate(numbers) if number is None]
    if len(left) > 1:
        return None
    for side, axis in left:
        sides[side][axis] = products[1 - side] / products[side]
    one, other = ([number for number in side if number is not None] for side in sides)
    return one, other


def _paired(before: Sequence[Fraction], after: Sequence[Fraction]) -> list[Part]:
    found: list[Part] = []
    left: list[int] = []
    right: list[int] = []
    i = j = 0
    while i < len(before) or j < len(after):
        if not left and not right and i < len(before) and j < len(after) and before[i] == after[j]:
            found.append(((i,), (j,)))
            i, j = i + 1, j + 1
            continue
        if i < len(before) and (_product(before, left) <= _product(after, right) or j == len(after)):
            left.append(i)
            i += 1
        else:
            right.append(j)
            j += 1
        if left and right and _product(before, left) == _product(after, right):
            found.append((tuple(left), tuple(right)))
            left, right = [], []
    if left or right:
        found.append((tuple(left), tuple(right)))
    return found


def _product(numbers: Sequence[Fraction], axes: Sequence[int]) -> Fraction:
    return prod((numbers[axis] for axis in axes), start=Fraction(1))

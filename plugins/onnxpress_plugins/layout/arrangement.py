"""How the axes of one tensor appear in another that has the same numbers in another order.

An arrangement lists, place by place, which axis of the first tensor is there; None stands for an axis of size one,
whichever, since all axes of size one are alike.  A tensor x [N, 1, W, C] as it is: ``(0, None, 2, 3)``.  What Transpose
with perm = 0, 3, 1, 2 makes of it: ``(0, 3, None, 2)``.  What Squeeze makes of that: ``(0, 3, 2)``.  Two arrangements
with the same essence, which is what remains without the None, differ by a Reshape that moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

Arrangement = tuple[int | None, ...]
Order = tuple[int, ...]
"""An arrangement that is a permutation, as ``perm`` of Transpose."""


def plain(shape: Iterable[int | ir.SymbolicDim] | None) -> Arrangement:
    """A tensor as it is; empty when its rank is unknown."""
    return tuple(None if size == 1 else axis for axis, size in enumerate(shape or ()))


def compose(outer: Arrangement, inner: Arrangement) -> Arrangement:
    """`outer` of what `inner` makes."""
    return tuple(None if place is None else inner[place] for place in outer)


def essence(arrangement: Arrangement) -> Order:
    """The axes whose order matters."""
    return tuple(axis for axis in arrangement if axis is not None)


def order_between(given: Arrangement, wanted: Arrangement) -> Order:
    """The order for which ``compose(order, given)`` is `wanted`, or where ranks differ, has its essence.

    In the latter case axes of size one stay behind the axis that they are behind.
    """
    if len(given) == len(wanted):
        ones = iter([place for place, axis in enumerate(given) if axis is None])
        return tuple(next(ones) if axis is None else given.index(axis) for axis in wanted)
    places: dict[int | None, list[int]] = {None: []}
    leader = None
    for place, axis in enumerate(given):
        leader = leader if axis is None else axis
        places.setdefault(leader, []).append(place)
    return tuple(place for axis in (None, *essence(wanted)) for place in places[axis])

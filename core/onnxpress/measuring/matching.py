"""Which input and output of one model is which of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import UnsupportedModel

if TYPE_CHECKING:
    from onnxpress.kinds import Feeds, Port


def match(a: Sequence[Port], b: Sequence[Port], what: str) -> dict[str, str]:
    """Names in `a` to names in `b`: equal names, else equal positions when counts and shapes agree.

    Raises:
        UnsupportedModel: Neither fits.
    """
    names_a, names_b = [port.name for port in a], [port.name for port in b]
    if set(names_a) == set(names_b):
        return {name: name for name in names_a}
    if len(a) == len(b) and all(_compatible(one.shape, other.shape) for one, other in zip(a, b, strict=True)):
        return dict(zip(names_a, names_b, strict=True))
    raise _no_match(a, b, what)


def for_both(a: Sequence[Port], b: Sequence[Port]) -> list[Port]:
    """The inputs of `a`, each with the sizes that `b` fixes and `a` leaves open, its batch say.

    Raises:
        UnsupportedModel: The inputs do not correspond, differ in a size that is no batch, as where one has its channels
            last, or are integers in one model alone.
    """
    known = {port.name: port for port in b}
    pairs = [(port, known[other]) for port, other in zip(a, match(a, b, "input").values(), strict=True)]
    if not all(_compatible(one.shape and one.shape[1:], other.shape and other.shape[1:]) for one, other in pairs):
        raise _no_match(a, b, "input")
    for one, other in pairs:
        if ("int" in one.dtype) != ("int" in other.dtype):
            raise UnsupportedModel(
                f"input {one.name!r} is {one.dtype} in one model and {other.dtype} in the other; compare models that "
                "take the same"
            )
    return [replace(one, shape=_fixed(one.shape, other.shape or ())) for one, other in pairs]


def batch_size(feeds: Feeds) -> int:
    """Samples in one batch of feeds."""
    return max((len(array) for array in feeds.values() if np.ndim(array)), default=1)


def _fixed(
    shape: tuple[int | str | None, ...] | None, other: tuple[int | str | None, ...]
) -> tuple[int | str | None, ...] | None:
    if shape is None or len(shape) != len(other):
        return shape
    return tuple(
        size if isinstance(size, int) or not isinstance(wanted, int) else wanted
        for size, wanted in zip(shape, other, strict=True)
    )


def _compatible(a: Sequence[object] | None, b: Sequence[object] | None) -> bool:
    if a is None or b is None:
        return True
    pairs = zip(a, b, strict=False)
    return len(a) == len(b) and all(x == y or not (isinstance(x, int) and isinstance(y, int)) for x, y in pairs)


def _no_match(a: Sequence[Port], b: Sequence[Port], what: str) -> UnsupportedModel:
    return UnsupportedModel(f"the {what}s of the two models do not correspond: {_spell(a)} against {_spell(b)}")


def _spell(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.name} {list(port.shape) if port.shape is not None else '?'}" for port in ports) or "none"

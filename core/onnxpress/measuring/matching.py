"""Which input and output of one model is which of another."""

from __future__ import annotations

from collections.abc import Sequence
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
    raise UnsupportedModel(f"the {what}s of the two models do not correspond: {_spell(a)} against {_spell(b)}")


def batch_size(feeds: Feeds) -> int:
    """Samples in one batch of feeds."""
    return max((len(array) for array in feeds.values() if np.ndim(array)), default=1)


def _compatible(a: Sequence[object] | None, b: Sequence[object] | None) -> bool:
    if a is None or b is None:
        return True
    pairs = zip(a, b, strict=False)
    return len(a) == len(b) and all(x == y or not (isinstance(x, int) and isinstance(y, int)) for x, y in pairs)


def _spell(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.name} {list(port.shape) if port.shape is not None else '?'}" for port in ports) or "none"

"""How a graph's nodes and tensors are called in messages and by the user: ``node:0`` is the same as ``node``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from onnxpress.errors import InvalidOption


def tensor_name(name: str) -> str:
    """The full name of a tensor, ``node:slot``."""
    node, _, slot = name.partition(":")
    return f"{node}:{slot or 0}"


def find_tensor(name: str, nodes: Mapping[str, Any], title: str) -> str:
    """The tensor that a user calls `name`.

    Raises:
        InvalidOption: There is no such node; the nearest name is given.
    """
    node, _, slot = name.partition(":")
    if node not in nodes or not (slot or "0").isdigit():
        near = difflib.get_close_matches(node, nodes, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"its last nodes: {listed([*nodes][-3:])}"
        raise InvalidOption(f"{title} has no node {name!r}; {hint}")
    return tensor_name(name)


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, with as many ``_`` behind it as make it new."""
    while name in taken:
        name += "_"
    return name


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, without the ``:0``; at most `most` of them."""
    shown = ", ".join(repr(name.removesuffix(":0")) for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

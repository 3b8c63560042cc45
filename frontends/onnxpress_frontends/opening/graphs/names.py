"""What to ask for by name: tensors, where ``node:0`` is the same as ``node``, attributes, and lists for messages."""

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


def attribute(node: Any, name: str) -> Any:
    """An attribute of a node, an empty one if there is none; to ask the node itself would give it that one."""
    from tensorflow.core.framework.attr_value_pb2 import AttrValue

    return node.attr[name] if name in node.attr else AttrValue()


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, with as many ``_`` behind it as make it new."""
    while name in taken:
        name += "_"
    return name


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, without the ``:0``; at most `most` of them."""
    shown = ", ".join(repr(name.removesuffix(":0")) for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

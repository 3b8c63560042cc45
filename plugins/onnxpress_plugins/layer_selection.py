"""Layers that an option speaks of: by name, by type, or all.

==================  ========================================================================
``conv1/Conv``      the node of that name
``<Conv2d>``        every node of that operator, or of what a framework calls so (`layer_types`)
``*``               every node
==================  ========================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import onnx_ir as ir

from onnxpress.ascend.layer_types import is_of_type
from onnxpress.errors import InvalidOption

T = TypeVar("T")


def selects(selector: str, node: ir.Node) -> bool:
    """Whether `selector` speaks of `node`."""
    kind = _type(selector)
    return selector == "*" or (node.name == selector if kind is None else is_of_type(node, kind))


def last_word(rules: Sequence[tuple[str, T]], node: ir.Node) -> T | None:
    """The value of the last rule whose selector speaks of `node`, None when none does."""
    return next((value for selector, value in reversed(rules) if selects(selector, node)), None)


def check(option: str, selectors: Iterable[str], model: ir.Model) -> None:
    """As `check_names`, for the selectors that are names."""
    check_names(option, (name for name in selectors if name != "*" and _type(name) is None), model)


def check_names(option: str, names: Iterable[str], model: ir.Model) -> None:
    """See that every name is that of a node, so that a misspelling cannot go unnoticed.

    Raises:
        InvalidOption: One is not; the message gives the nearest that is.
    """
    known = sorted({node.name for node in model.graph.all_nodes() if node.name})
    for name in names:
        if name not in known:
            raise InvalidOption(f"{option}: no node is called {name!r}{nearest(name, known)}")


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a sentence that says that `name` is not known."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; `onnxpress inspect --nodes` lists them"


def _type(selector: str) -> str | None:
    return selector[1:-1] if selector.startswith("<") and selector.endswith(">") else None

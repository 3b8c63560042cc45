"""Where a frozen graph begins and ends.

Inputs are the placeholders on which the outputs depend.  The output is the one node that depends on a placeholder and
that nothing uses; where several qualify the user must choose, for some are usually left over from training.  Names are
node names; ``node:1`` is the second output of a node, ``node:0`` the same as ``node``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from onnxpress.errors import InvalidModel, InvalidOption

_PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2"))
_NO_OUTPUTS = frozenset(("NoOp", "Assert", "Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault"))


class GraphEnds:
    """Looks for the ends of one graph.

    Args:
        graph: A `GraphDef`.
        title: What messages call it.

    Raises:
        InvalidModel: A node refers to one that is not there.
    """

    def __init__(self, graph: Any, title: str) -> None:
        self._title = title
        self._nodes = {node.name: node for node in graph.node}
        self._users: dict[str, list[str]] = {}
        for node in graph.node:
            for name in _sources(node):
                if name not in self._nodes:
                    raise InvalidModel(f"{title} is corrupt: node {node.name!r} uses {name!r}, which is not there")
                self._users.setdefault(name, []).append(node.name)

    def tensor(self, name: str) -> str:
        """The tensor that a user calls `name`, as ``node:slot``.

        Raises:
            InvalidOption: There is no such node; the nearest name is given.
        """
        node, _, slot = name.partition(":")
        if node not in self._nodes or not (slot or "0").isdigit():
            near = difflib.get_close_matches(node, self._nodes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its last nodes: {_listed([*self._nodes][-3:])}"
            raise InvalidOption(f"{self._title} has no node {name!r}; {hint}")
        return f"{node}:{slot or 0}"

    def find_output(self) -> str:
        """The only output.

        Raises:
            InvalidOption: None or several could be it; candidates are listed.
        """
        fed = _closure(self._of_type(_PLACEHOLDERS), lambda name: self._users.get(name, ()))
        leaves = [name for name, node in self._nodes.items() if name not in self._users and node.op not in _NO_OUTPUTS]
        candidates = [name for name in leaves if name in fed] or leaves
        if len(candidates) != 1:
            raise InvalidOption(
                f"{self._title}: {len(candidates)} nodes could be the output; name the outputs with option 'outputs'"
                f" (candidates: {_listed(candidates)})"
            )
        return f"{candidates[0]}:0"

    def find_inputs(self, outputs: Iterable[str]) -> list[str]:
        """The placeholders on which `outputs` depend.

        Raises:
            InvalidOption: There are none; nodes that depend only on constants are listed.
        """
        roots = [output.partition(":")[0] for output in outputs]
        needed = _closure(roots, self._inputs)
        found = [name for name in self._of_type(_PLACEHOLDERS) if name in needed]
        if found:
            return [f"{name}:0" for name in found]
        constant = set(self._of_type(("Const",)))
        starts = [name for name in self._nodes if name not in constant and constant.issuperset(self._inputs(name))]
        candidates = self._of_type(("PlaceholderWithDefault", "IteratorGetNext")) or starts
        raise InvalidOption(
            f"{self._title}: the outputs depend on no placeholder; name the inputs with option 'inputs'"
            f" (candidates: {_listed(candidates)})"
        )

    def _of_type(self, ops: Iterable[str]) -> list[str]:
        return [name for name, node in self._nodes.items() if node.op in ops]

    def _inputs(self, name: str) -> list[str]:
        return _sources(self._nodes[name])


def _sources(node: Any) -> list[str]:
    return [name.partition(":")[0] for name in node.input if not name.startswith("^")]


def _closure(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    pending, seen = list(start), set[str]()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += following(name)
    return seen


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8]) or "none"
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown

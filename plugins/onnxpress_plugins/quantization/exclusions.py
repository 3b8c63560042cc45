"""What the user keeps out of quantisation: nodes by name, by pattern, and operators."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import onnx_ir as ir

from onnxpress.errors import InvalidOption


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """Nodes that stay float because the user says so.

    Attributes:
        nodes: Names of nodes.
        patterns: Names of nodes as shell patterns, e.g. ``head/*``; case matters.
        ops: Operator types, e.g. ``Add``.
    """

    nodes: Sequence[str] = ()
    patterns: Sequence[str] = ()
    ops: Sequence[str] = ()

    def reason(self, node: ir.Node) -> str | None:
        """Why `node` is excluded, None when it is not."""
        name = node.name or ""
        if name in self.nodes:
            return "excluded by name"
        pattern = next((pattern for pattern in self.patterns if fnmatchcase(name, pattern)), None)
        if pattern is not None:
            return f"excluded by the pattern {pattern!r}"
        return f"excluded as {node.op_type}" if node.op_type in self.ops else None

    def check(self, model: ir.Model) -> None:
        """See that every name, pattern and operator is found in `model`, so that a misspelling cannot go unnoticed.

        Raises:
            InvalidOption: One is not; the message gives the nearest that is.
        """
        nodes = list(model.graph.all_nodes())
        names = sorted({node.name for node in nodes if node.name})
        ops = sorted({node.op_type for node in nodes})
        for name in self.nodes:
            if name not in names:
                raise InvalidOption(f"exclude_nodes: no node is called {name!r}{_nearest(name, names)}")
        for pattern in self.patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise InvalidOption(f"exclude_patterns: no node's name matches {pattern!r}{_nearest(pattern, names)}")
        for op in self.ops:
            if op not in ops:
                raise InvalidOption(f"exclude_ops: the model has no {op!r}; it has {', '.join(ops)}")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; `onnxpress inspect --nodes` lists them"

"""What the user keeps out of quantisation: nodes by name, by pattern, operators, and all that are not listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import onnx_ir as ir

from onnxpress.ascend.layer_types import LAYER_TYPES, is_of_type
from onnxpress.errors import InvalidOption
from onnxpress.targets import OpRule
from onnxpress_plugins.layer_selection import check_names, nearest


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """Nodes that stay float because the user says so.

    Attributes:
        nodes: Names of nodes.
        patterns: Names of nodes as shell patterns, e.g. ``head/*``; case matters.
        ops: Operator types, e.g. ``Add``, or layer types of a framework, e.g. ``Conv2d`` (`layer_types`).
        only: Names of the nodes that may be quantised; empty: all.  What only moves numbers need not be listed.
    """

    nodes: Sequence[str] = ()
    patterns: Sequence[str] = ()
    ops: Sequence[str] = ()
    only: Sequence[str] = ()

    def reason(self, node: ir.Node) -> str | None:
        """Why `node` is excluded, None when it is not."""
        name = node.name or ""
        if name in self.nodes:
            return "excluded by name"
        pattern = next((pattern for pattern in self.patterns if fnmatchcase(name, pattern)), None)
        if pattern is not None:
            return f"excluded by the pattern {pattern!r}"
        op = next((op for op in self.ops if is_of_type(node, op)), None)
        return None if op is None else f"excluded as {op}"

    def unlisted(self, node: ir.Node, rule: OpRule | None) -> str | None:
        """Why `node`, which the target has `rule` for, is not among those that may be quantised, None when it is."""
        if not self.only or node.name in self.only or rule is None or rule.worth == "through":
            return None
        return "not among only_nodes"

    def check(self, model: ir.Model) -> None:
        """See that every name, pattern and operator is found in `model`, so that a misspelling cannot go unnoticed.

        Raises:
            InvalidOption: One is not; the message gives the nearest that is.
        """
        nodes = list(model.graph.all_nodes())
        names = sorted({node.name for node in nodes if node.name})
        ops = sorted({node.op_type for node in nodes})
        check_names("exclude_nodes", self.nodes, model)
        check_names("only_nodes", self.only, model)
        for pattern in self.patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise InvalidOption(f"exclude_patterns: no node's name matches {pattern!r}{nearest(pattern, names)}")
        for op in self.ops:
            if op not in ops and op not in LAYER_TYPES:
                raise InvalidOption(f"exclude_ops: the model has no {op!r}; it has {', '.join(ops)}")

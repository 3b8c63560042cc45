"""Names of nodes in a report."""

from __future__ import annotations

import onnx_ir as ir


def title(node: ir.Node) -> str:
    """The node's name; that of its output if it has none."""
    return node.name or node.outputs[0].name or ""


def described(node: ir.Node) -> str:
    """A node as the report names it, e.g. ``Conv 'stem'``."""
    return f"{node.op_type} {title(node)!r}"

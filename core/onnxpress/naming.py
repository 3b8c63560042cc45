"""Names: fresh ones for what is added to a model, and what a report or an error calls a node."""

from __future__ import annotations

import onnx_ir as ir


class Names:
    """Names that nothing in a model has yet."""

    def __init__(self, model: ir.Model) -> None:
        self._taken = {name for graph in model.graphs() for name in _names(graph)}

    def fresh(self, wish: str) -> str:
        """`wish`, or `wish` with the first number behind it that makes it new."""
        name, number = wish, 1
        while name in self._taken:
            name, number = f"{wish}_{number}", number + 1
        self._taken.add(name)
        return name


def title(node: ir.Node) -> str:
    """The node's name; that of its output if it has none."""
    return node.name or node.outputs[0].name or ""


def described(node: ir.Node) -> str:
    """A node with its operator, e.g. ``Conv 'stem'``."""
    return f"{node.op_type} {title(node)!r}"


def _names(graph: ir.Graph) -> set[str]:
    values = [*graph.inputs, *graph.initializers.values(), *(output for node in graph for output in node.outputs)]
    return {value.name for value in values if value.name} | {node.name for node in graph if node.name}

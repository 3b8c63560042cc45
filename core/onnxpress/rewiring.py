"""Replacing one value of a graph by another without renaming what the user sees."""

from __future__ import annotations

import onnx_ir as ir


def replace_uses(old: ir.Value, new: ir.Value) -> bool:
    """Let every user of `old` use `new`, in subgraphs too.

    Where `old` is an output of the graph, `new` takes its place and its name, so that the output keeps the name that
    the user knows.

    Args:
        old: The value to do without.
        new: The value to use instead, of the same type and shape.

    Returns:
        False, with nothing changed, when both are seen from outside (`old` is an output, and `new` is an input, an
        initialiser, an output too, or of another graph), so that no single value could keep both names.
    """
    if not old.is_graph_output():
        old.replace_all_uses_with(new)
        return True
    producer = new.producer()
    if producer is None or new.is_graph_output() or producer.graph is not old.graph:
        return False
    name = old.name
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    old.name, new.name = None, name
    return True

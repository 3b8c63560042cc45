"""The functions of a graph: which of them some nodes call, and names that no other graph has.

TensorFlow knows functions by name in the whole process, and calls those of every program ``cond_true_28``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from onnxpress_frontends.reachability import called


def called_functions(graph: Any, nodes: Iterable[Any]) -> list[Any]:
    """The functions of a `GraphDef` that `nodes` call, directly or not, in the order of the library."""
    library = {function.signature.name: function for function in graph.library.function}
    pending, found = [name for node in nodes for name in called(node)], set[str]()
    while pending:
        name = pending.pop()
        if name in library and name not in found:
            found.add(name)
            pending += [inner for node in library[name].node_def for inner in called(node)]
    return [function for name, function in library.items() if name in found]


def name_functions_apart(graph: Any) -> None:
    """Rename every function of a `GraphDef` in place, after the content of them all; gradients are forgotten."""
    digest = hashlib.sha256()
    for function in graph.library.function:
        digest.update(function.SerializeToString(deterministic=True))
    suffix = digest.hexdigest()[:12]
    names = {function.signature.name: f"{function.signature.name}_{suffix}" for function in graph.library.function}
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        node.op = names.get(node.op, node.op)
        for attribute in node.attr.values():
            if attribute.HasField("func"):
                attribute.func.name = names.get(attribute.func.name, attribute.func.name)
            for function in attribute.list.func:
                function.name = names.get(function.name, function.name)
    del graph.library.gradient[:]

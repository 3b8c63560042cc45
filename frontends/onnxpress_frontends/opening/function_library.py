"""The functions of a graph get names of their own, made of their content.

TensorFlow knows functions by name in the whole process, and calls those of every program ``cond_true_28``.
"""

from __future__ import annotations

import hashlib
from typing import Any


def name_functions_apart(graph: Any) -> None:
    """Rename every function of a `GraphDef` in place; equal graphs get equal names."""
    if not graph.library.function:
        return
    digest = hashlib.sha256()
    for function in graph.library.function:
        digest.update(function.SerializeToString(deterministic=True))
    names = {
        function.signature.name: f"{function.signature.name}_{digest.hexdigest()[:12]}"
        for function in graph.library.function
    }
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        node.op = names.get(node.op, node.op)
        for attribute in node.attr.values():
            if attribute.HasField("func"):
                attribute.func.name = names.get(attribute.func.name, attribute.func.name)
            for called in attribute.list.func:
                called.name = names.get(called.name, called.name)
    del graph.library.gradient[:]

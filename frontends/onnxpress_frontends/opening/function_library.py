"""The functions of a graph: which of them are called, and names that no other graph has.

TensorFlow knows functions by name in the whole process, and calls those of every program ``cond_true_28``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any


def called_names(node: Any) -> Iterator[str]:
    """The functions that a node may call; its operator may be one."""
    yield node.op
    for key in sorted(node.attr):
        value = node.attr[key]
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)


def called_functions(graph: Any, nodes: Iterable[Any]) -> list[Any]:
    """The functions of a `GraphDef` that `nodes` call, directly or not, in the order of the library."""
    library = {function.signature.name: function for function in graph.library.function}
    pending, called = [name for node in nodes for name in called_names(node)], set[str]()
    while pending:
        name = pending.pop()
        if name in library and name not in called:
            called.add(name)
            pending += [inner for node in library[name].node_def for inner in called_names(node)]
    return [function for name, function in library.items() if name in called]


def keep_called_functions(graph: Any) -> None:
    """Drop from a `GraphDef`, in place, the functions that its nodes do not call."""
    called = {function.signature.name for function in called_functions(graph, graph.node)}
    for index in reversed(range(len(graph.library.function))):
        if graph.library.function[index].signature.name not in called:
            del graph.library.function[index]


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
            for called in attribute.list.func:
                called.name = names.get(called.name, called.name)
    del graph.library.gradient[:]

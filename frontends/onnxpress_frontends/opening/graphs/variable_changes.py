"""An output that waits for a change of a variable that it reads has no ONNX form, and must not lose that change.

Updates that an output does not wait for, or whose variables it does not read, mean nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.graphs.function_library import called_functions
from onnxpress_frontends.opening.graphs.variables import VARIABLES, origin
from onnxpress_frontends.reachability import called, closure, source_of

_CHANGES = ("Assign", "Scatter", "Apply", "SparseApply", "ResourceApply", "ResourceSparseApply", "ResourceScatter")
_HARMLESS = frozenset(("ScatterNd", "ScatterNdNonAliasingAdd"))
_RESOURCE = 20
"""Value of TensorFlow's ``DataType``."""


def refuse_changes(graph: Any, outputs: Iterable[str], source: str) -> None:
    """Refuse a `GraphDef` whose `outputs`, or a function that they need, wait for a change of what they read.

    Raises:
        UnsupportedModel: They do; the message names the variable and what changes it.
    """
    changing = {function.signature.name for function in graph.library.function if _changes(graph, function)}
    nodes = {node.name: node for node in graph.node}
    variables = {name for name, node in nodes.items() if node.op in VARIABLES}
    needed = closure(nodes, outputs, control=False)
    _refuse(nodes, outputs, variables, changing, source)
    for function in called_functions(graph, [nodes[name] for name in needed]):
        arguments = {argument.name for argument in function.signature.input_arg if argument.type == _RESOURCE}
        inner = {node.name: node for node in function.node_def}
        _refuse(inner, function.ret.values(), arguments, changing, f"{source}, function {function.signature.name!r}")


def _refuse(
    nodes: Mapping[str, Any], outputs: Iterable[str], variables: set[str], changing: set[str], source: str
) -> None:
    outputs = list(outputs)
    needed = closure(nodes, outputs, control=False)
    read = {_target(name, nodes) for node in needed for name in nodes[node].input} | needed
    for name in sorted(closure(nodes, outputs, control=True)):
        node = nodes[name]
        if not (_is_change(node) or not changing.isdisjoint(called(node))):
            continue
        targets = node.input[:1] if _is_change(node) else node.input
        for variable in sorted({_target(target, nodes) for target in targets} & read & variables):
            raise UnsupportedModel(
                f"{source}: the outputs wait for {node.op} {name!r}, which changes variable {variable!r} that they "
                "read; ONNX cannot say so, name outputs before it or export the graph for inference"
            )


def _changes(graph: Any, function: Any) -> bool:
    inner = called_functions(graph, function.node_def)
    return any(_is_change(node) for each in (function, *inner) for node in each.node_def)


def _is_change(node: Any) -> bool:
    return bool(node.input) and node.op.startswith(_CHANGES) and node.op not in _HARMLESS


def _target(tensor: str, nodes: Mapping[str, Any]) -> str:
    return source_of(origin(tensor, nodes))

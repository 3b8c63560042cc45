"""A graph that can train is set to infer: its switches between the two are thrown, and its dropout is gone.

A switch is a boolean placeholder.  It is thrown to the side that leaves fewer operators that only training has: random
numbers, BatchNorm over the statistics of the batch, updates of variables.  Where both sides leave the same, its name
decides; a name that says nothing leaves it an input.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from onnxpress_frontends.opening.graphs.batch_norm_settling import normalises_batch
from onnxpress_frontends.opening.graphs.conditions import resolve
from onnxpress_frontends.opening.graphs.dropout_removal import remove_dropout
from onnxpress_frontends.opening.graphs.function_library import called_functions
from onnxpress_frontends.opening.graphs.names import attribute
from onnxpress_frontends.reachability import closure

_FLAGS = frozenset(("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"))
_BOOL = 10
"""Value of TensorFlow's ``DataType``."""

_TRAINING_NAME = re.compile(r"train|learning_phase|phase|dropout", re.IGNORECASE)
_INFERENCE_NAME = re.compile(r"infer|test|eval|predict|deterministic", re.IGNORECASE)
_TRAINING_OPS = re.compile(r"(Stateless)?(Random|TruncatedNormal|Multinomial)|Assign|Resource(Apply|Scatter)|Apply")


def set_to_infer(graph: Any, outputs: Collection[str], inputs: Collection[str]) -> None:
    """Throw the switches of a `GraphDef` and remove its dropout, in place.

    Args:
        graph: The graph; constants that are conditions must be in it.
        outputs: Tensors that must stay.
        inputs: Tensors that the user feeds, switches or not.
    """
    fed = {name.partition(":")[0] for name in inputs}
    resolve(graph, {})
    for name in _flags(graph, outputs):
        if name in fed:
            continue
        value = _inference_side(graph, name, outputs)
        if value is not None:
            resolve(graph, {name: value})
            _fix(graph, name, value)
    remove_dropout(graph)


def _flags(graph: Any, outputs: Iterable[str]) -> list[str]:
    needed = closure({node.name: node for node in graph.node}, outputs, control=True)
    flags = (node for node in graph.node if node.op in _FLAGS and node.attr["dtype"].type == _BOOL)
    return [node.name for node in flags if node.name in needed and not attribute(node, "shape").shape.dim]


def _inference_side(graph: Any, flag: str, outputs: Collection[str]) -> bool | None:
    remains = {}
    for value in (False, True):
        attempt = type(graph)()
        attempt.CopyFrom(graph)
        resolve(attempt, {flag: value})
        remains[value] = _training_operators(attempt, outputs)
    if remains[False] != remains[True]:
        return remains[True] < remains[False]
    name = flag.rpartition("/")[2]
    if _INFERENCE_NAME.search(name):
        return True
    return False if _TRAINING_NAME.search(name) else None


def _training_operators(graph: Any, outputs: Iterable[str]) -> int:
    nodes = {node.name: node for node in graph.node}
    kept = [nodes[name] for name in closure(nodes, outputs, control=False)]
    inside = (node for function in called_functions(graph, kept) for node in function.node_def)
    return sum(_trains(node) for node in (*kept, *inside))


def _trains(node: Any) -> bool:
    return bool(_TRAINING_OPS.match(node.op)) or normalises_batch(node)


def _fix(graph: Any, name: str, value: bool) -> None:
    for node in graph.node:
        if node.name == name:
            node.op = "Const"
            del node.input[:]
            node.attr.clear()
            node.attr["dtype"].type = node.attr["value"].tensor.dtype = _BOOL
            node.attr["value"].tensor.bool_val.append(value)
            node.attr["value"].tensor.tensor_shape.SetInParent()

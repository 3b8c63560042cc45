"""Dropout becomes the identity.

TensorFlow has no operator for it.  Its releases wrote, with a random tensor r in [0, 1) and the probability k to keep,
``x / k * floor(r + k)``; later ``x * (1 / k) * cast(r >= 1 - k)``; and today ``where(r >= 1 - k, x * (1 / k), 0)``.
All expect x, and are x at inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_frontends.opening.graphs.names import attribute
from onnxpress_frontends.reachability import closure, source_of

_RANDOM = frozenset(("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"))
_SHIFTS = frozenset(("Mul", "Add", "AddV2", "Sub", "Identity"))
_THRESHOLDS = frozenset(("Floor", "GreaterEqual", "Greater"))
_AFTER = frozenset(("Cast", "Identity"))
_SCALINGS = frozenset(("RealDiv", "Mul", "Div"))
_SCALARS = frozenset(
    ("Const", "Placeholder", "PlaceholderWithDefault", "Identity", "Cast", "Sub", "RealDiv", "Div", "Reciprocal", "Mul")
)


def remove_dropout(graph: Any) -> int:
    """Replace every dropout of a `GraphDef` by the identity, in place; returns how many there were."""
    nodes = {node.name: node for node in graph.node}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            if not name.startswith("^"):
                users.setdefault(source_of(name), []).append(node)
    removed = 0
    for node in graph.node:
        if node.op in _RANDOM:
            removed += _remove(node, nodes, users)
    return removed


def _remove(random: Any, nodes: Mapping[str, Any], users: Mapping[str, list[Any]]) -> bool:
    mask = _follow(_follow(random, _SHIFTS, users), _THRESHOLDS, users, once=True)
    if mask.op not in _THRESHOLDS:
        return False
    mask = _follow(mask, _AFTER, users)
    joins = users.get(mask.name, [])
    if len(joins) != 1:
        return False
    join, scaled = joins[0], _scaled_operand(joins[0], mask.name)
    scaling = nodes.get(source_of(scaled)) if scaled else None
    if scaling is None or scaling.op not in _SCALINGS or not _is_scalar(scaling.input[1], nodes):
        return False
    join.op = "Identity"
    join.input[:] = [scaling.input[0]]
    kind = join.attr["T"].type
    join.attr.clear()
    join.attr["T"].type = kind
    return True


def _follow(node: Any, ops: frozenset[str], users: Mapping[str, list[Any]], *, once: bool = False) -> Any:
    """The last of the nodes with `ops` that `node` leads to, each the only user of the one before."""
    while len(following := users.get(node.name, [])) == 1 and following[0].op in ops:
        node = following[0]
        if once:
            break
    return node


def _scaled_operand(join: Any, mask: str) -> str | None:
    if join.op == "Mul":
        return next((name for name in join.input if source_of(name) != mask), None)
    if join.op in ("Select", "SelectV2") and source_of(join.input[0]) == mask:
        return str(join.input[1])
    return None


def _is_scalar(tensor: str, nodes: Mapping[str, Any]) -> bool:
    """Whether a tensor can only be a probability: it is computed from constants and placeholders without a shape."""
    names = closure(nodes, [tensor], control=False)
    return all(nodes[name].op in _SCALARS and not _has_shape(nodes[name]) for name in names)


def _has_shape(node: Any) -> bool:
    return bool(attribute(node, "shape").shape.dim or attribute(node, "value").tensor.tensor_shape.dim)

"""Variables in a graph, and the way back to one from a tensor that holds it, its reference or its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_frontends.reachability import source_of

VARIABLES = frozenset(("Variable", "VariableV2", "VarHandleOp"))
"""References of TensorFlow 1 proper, and resources."""

_PASSING = frozenset(("Identity", "RefIdentity", "ReadVariableOp", "Switch", "RefSwitch", "Enter", "RefEnter", "Cast"))


def origin(tensor: str, nodes: Mapping[str, Any]) -> str:
    """The tensor that `tensor` only hands on."""
    seen = set[str]()
    while (node := nodes.get(source_of(tensor))) is not None and node.op in _PASSING and node.name not in seen:
        seen.add(node.name)
        tensor = node.input[0]
    return tensor


def variable_of(tensor: str, nodes: Mapping[str, Any]) -> str | None:
    """The variable that `tensor` only hands on; None if it is something else."""
    name = source_of(origin(tensor, nodes))
    return name if name in nodes and nodes[name].op in VARIABLES else None

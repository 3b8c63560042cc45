"""What tf2onnx maps to something that computes other numbers, told by a node's attributes: refused instead.

ONNX formats no numbers, shifts no signed integers, truncates no quotient of floats, has no soft suppression, and its
Resize neither averages areas nor crops by nearest pixels; tf2onnx writes the nearest thing that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_INTEGERS = frozenset((3, 4, 5, 6, 9, 17, 22, 23))
_SIGNED = frozenset((3, 5, 6, 9))
"""Values of TensorFlow's ``DataType``."""

Nodes = Mapping[str, Any]
Predicate = Callable[[Any, Nodes], bool]


def is_inexact(node: Any, nodes: Nodes) -> bool:
    """Whether tf2onnx would map a `NodeDef` to other numbers; `nodes` are those of its scope by name."""
    return node.op in _INEXACT and _INEXACT[node.op](node, nodes)


def _is_formatted(node: Any, nodes: Nodes) -> bool:
    """``Cast`` writes integers as TensorFlow does; of other types and with a width it writes something else."""
    attributes = node.attr
    widths = [attributes[name].i != -1 for name in ("width", "precision") if name in attributes]
    return attributes["T"].type not in _INTEGERS or any(widths)


def _is_soft(node: Any, nodes: Nodes) -> bool:
    from tensorflow import make_ndarray

    sigma = nodes.get(node.input[5].partition(":")[0])
    return sigma is None or sigma.op != "Const" or bool(make_ndarray(sigma.attr["value"].tensor) != 0)


_INEXACT: Mapping[str, Predicate] = {
    "AsString": _is_formatted,
    "CropAndResize": lambda node, _: bool("method" in node.attr and node.attr["method"].s == b"nearest"),
    "NonMaxSuppressionV5": _is_soft,
    "ResizeArea": lambda *_: True,
    "RightShift": lambda node, _: node.attr["T"].type in _SIGNED,
    "TruncateDiv": lambda node, _: node.attr["T"].type not in _INTEGERS,
}

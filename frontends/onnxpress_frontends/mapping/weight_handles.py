"""Big weights stay outside the graph while it is converted: a placeholder, the handle, stands for each.

tf2onnx copies every constant of a graph many times over.  To most operators a weight that is computed is as good as one
that is known, and for those alone a handle stands; others must see the values.  What a loop or a branch takes is
computed to its body in any case.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_frontends.opening.graphs.detached_weights import LARGEST_CONSTANT
from onnxpress_frontends.reachability import in_order, source_of

if TYPE_CHECKING:
    from onnxpress.kinds import Array

_PASS_ON = frozenset(("Identity", "Snapshot", "StopGradient"))

_INDIFFERENT: Mapping[str, Container[int]] = {
    "Conv2D": (1,),
    "Conv2DBackpropInput": (1,),
    "Conv3D": (1,),
    "Conv3DBackpropInputV2": (1,),
    "DepthwiseConv2dNative": (1,),
    "ExpandDims": (0,),
    "Squeeze": (0,),
    "Reshape": (0,),
    "Transpose": (0,),
    "MatMul": (0, 1),
    "BatchMatMulV2": (0, 1),
    "BatchMatMulV3": (0, 1),
    "Einsum": (0, 1),
    "GatherV2": (0,),
    "AddV2": (0, 1),
    "Mul": (0, 1),
    "Sub": (0, 1),
    "BiasAdd": (1,),
    "FakeQuantWithMinMaxArgs": (0,),
    "Dequantize": (0,),
    **dict.fromkeys(("While", "StatelessWhile"), range(2, 2**31)),
    **dict.fromkeys(("If", "StatelessIf"), range(1, 2**31)),
}
"""Operator to the inputs where tf2onnx treats a computed weight as a constant one."""


def hide(graph: Any, weights: dict[str, Array], outputs: Iterable[str]) -> None:
    """Turn big constants of a `GraphDef` into handles, and handles whose values must be seen into constants, in place.

    Args:
        graph: The graph, with every function inlined that can be.
        weights: Placeholder to its value, of the handles that there are; changed along with the graph.
        outputs: Tensors that the graph returns; they need their values.
    """
    from tensorflow import make_ndarray

    big = {node.name: node for node in graph.node if node.op == "Const" and _elements(node) > LARGEST_CONSTANT}
    seen = _to_be_seen(graph, weights.keys() | big.keys(), outputs)
    put_back(graph, weights, seen & weights.keys())
    for name in big.keys() - seen:
        tensor = big[name].attr["value"].tensor
        weights[name] = make_ndarray(tensor)
        big[name].attr["shape"].shape.CopyFrom(tensor.tensor_shape)
        big[name].op = "Placeholder"
        big[name].attr.pop("value")


def drop_unused(graph: Any, weights: dict[str, Array]) -> None:
    """Forget the weights whose handles are gone from the graph."""
    for name in weights.keys() - {node.name for node in graph.node}:
        del weights[name]


def put_back_small(graph: Any, weights: dict[str, Array]) -> None:
    """Turn the handles of small weights into constants, in place: those take part in constant folding."""
    put_back(graph, weights, {name for name, array in weights.items() if array.size <= LARGEST_CONSTANT})


def put_back(graph: Any, weights: dict[str, Array], names: Collection[str]) -> None:
    """Turn the handles called `names` into constants, in place; they leave `weights`."""
    from tensorflow import make_tensor_proto

    for node in graph.node:
        if node.name in names:
            node.op = "Const"
            for attribute in ("shape", "_user_specified_name"):
                node.attr.pop(attribute, None)
            node.attr["value"].tensor.CopyFrom(make_tensor_proto(weights.pop(node.name)))


def _to_be_seen(graph: Any, names: Iterable[str], outputs: Iterable[str]) -> set[str]:
    """Those of `names` whose values an operator or the caller must see."""
    held = {name: name for name in names}
    seen = set[str]()
    for node in in_order(graph.node):
        for index, name in enumerate(node.input):
            weight = held.get(source_of(name))
            if weight is not None and node.op in _PASS_ON:
                held[node.name] = weight
            elif weight is not None and index not in _INDIFFERENT.get(node.op, ()):
                seen.add(weight)
    return seen | {held[source_of(name)] for name in outputs if source_of(name) in held}


def _elements(node: Any) -> int:
    return int(np.prod([dim.size for dim in node.attr["value"].tensor.tensor_shape.dim], dtype=np.int64))

"""A Transpose in front of a Flatten goes into the weights behind it.

    Flatten(Transpose(x)) W = Flatten(x) W',   where the rows of W', taken as a block of the sizes of x,
                                               are those of W in the order that x has

Networks from TensorFlow flatten images with channels last, in front of their first Dense layer.  The batch keeps its
place; every user of what is flattened must be a product with constant weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, give, remove
from onnxpress.naming import Names, title


def absorb_transposes(graph: ir.Graph, names: Names) -> int:
    """Let the weights of `graph` take over what they can; returns how many Transposes are gone."""
    absorbed = 0
    for node in [node for node in graph if node.op_type == "Transpose" and node.domain == ""]:
        sizes, perm = _sizes(node), _perm(node)
        users = _users(node.outputs[0])
        if sizes is None or perm[:1] != [0] or not users or not all(_is_flattening(user) for user in users):
            continue
        products = [_users(user.outputs[0]) for user in users]
        if not all(behind and all(_weight(product) is not None for product in behind) for behind in products):
            continue
        for product in dict.fromkeys(product for behind in products for product in behind):
            _turn_rows(product, sizes, perm, names)
        for user in users:
            user.replace_input_with(0, node.inputs[0])
        remove([node])
        absorbed += 1
    return absorbed


def _turn_rows(product: ir.Node, sizes: Sequence[int], perm: Sequence[int], names: Names) -> None:
    weight = array(product.inputs[1])
    assert weight is not None
    rows = weight.T if _is_turned(product) else weight
    order = [perm.index(axis) - 1 for axis in range(1, len(perm))]
    block = rows.reshape(*(sizes[axis - 1] for axis in perm[1:]), -1).transpose(*order, len(order))
    turned = block.reshape(rows.shape)
    give(
        product, 1, np.ascontiguousarray(turned.T if _is_turned(product) else turned), names, wish=f"{title(product)}/W"
    )


def _weight(product: ir.Node) -> ir.Value | None:
    """The constant matrix that a node multiplies its first input with."""
    if product.domain or product.op_type not in ("MatMul", "Gemm") or product.attributes.get_int("transA"):
        return None
    weight = array(product.inputs[1])
    return product.inputs[1] if weight is not None and weight.ndim == 2 and weight.size else None


def _is_turned(product: ir.Node) -> bool:
    return product.op_type == "Gemm" and bool(product.attributes.get_int("transB"))


def _is_flattening(node: ir.Node) -> bool:
    """Whether a node joins all axes but the first."""
    value, result = node.inputs[0], node.outputs[0]
    if node.domain or value is None or value.shape is None or result.shape is None or result.is_graph_output():
        return False
    if node.op_type == "Flatten":
        return node.attributes.get_int("axis") in (None, 1)
    if node.op_type != "Reshape" or len(result.shape) != 2:
        return False
    rest = [size for size in value.shape[1:] if isinstance(size, int)]
    return result.shape[0] == value.shape[0] or (
        len(rest) == len(value.shape) - 1 and result.shape[1] == math.prod(rest)
    )


def _users(value: ir.Value) -> list[ir.Node]:
    """The nodes that take `value` as their first input; none when it is used in another way too."""
    uses = list(value.uses())
    if value.is_graph_output() or any(index != 0 or node.graph is not value.graph for node, index in uses):
        return []
    return [node for node, _ in uses]


def _sizes(transpose: ir.Node) -> list[int] | None:
    """The sizes of what is transposed but for the batch."""
    value = transpose.inputs[0]
    if value is None or value.shape is None:
        return None
    sizes = [size for size in value.shape[1:] if isinstance(size, int)]
    return sizes if len(sizes) == len(value.shape) - 1 and all(sizes) else None


def _perm(transpose: ir.Node) -> list[int]:
    rank = len(transpose.inputs[0].shape or ()) if transpose.inputs[0] is not None else 0
    return list(transpose.attributes.get_ints("perm") or range(rank)[::-1])

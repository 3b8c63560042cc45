"""Arithmetic of integers that tf2onnx treats as that of floats, and indices that mean different things.

* ``FloorMod(x, y)`` is ONNX's ``Mod`` with ``fmod=0``: the remainder has the sign of the divisor.
* ``FloorDiv(x, y) = (x - FloorMod(x, y)) / y``, a division without remainder, where ONNX's ``Div`` truncates.
* A product of integer matrices is transposed as any other.
* ``ScatterNd`` adds up the updates of one place, where ONNX keeps one of them.
* ``OneHot`` of an index that is negative is off everywhere, where ONNX counts from the end: it becomes the depth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")

_NOT_NEGATIVE = frozenset(("ArgMax", "ArgMin"))


def floor_modulo(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of ``FloorMod``."""
    from tf2onnx.onnx_opset.math import FloorMod

    if _is_float(context, node):
        FloorMod.version_7(context, node)
    else:
        node.type = "Mod"


def floor_divide(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of ``FloorDiv``."""
    from tf2onnx.onnx_opset.math import FloorDiv

    if _is_float(context, node):
        FloorDiv.version_6(context, node)
        return
    dividend, divisor = node.input
    remainder = context.make_node("Mod", [dividend, divisor], name=_name(node, "Mod"))
    multiple = context.make_node("Sub", [dividend, remainder.output[0]], name=_name(node, "Sub"))
    node.type = "Div"
    context.replace_inputs(node, [multiple.output[0], divisor])


def matrix_product(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of ``MatMul`` and the batched ones; to be adjoint is to be transposed where nothing is complex."""
    from tf2onnx.onnx_opset.math import MatMul

    for adjoint, transpose in (("adj_x", "transpose_a"), ("adj_y", "transpose_b")):
        if node.get_attr(adjoint) is not None:
            node.set_attr(transpose, node.get_attr(adjoint).i)
            node.attr.pop(adjoint)
    MatMul.version_10(context, node)


def scatter(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of ``ScatterNd``."""
    from tf2onnx.onnx_opset.tensor import ScatterND

    node.type = "ScatterND"
    ScatterND.version_11(context, node)
    node.set_attr("reduction", "add")


def one_hot(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Handler of ``OneHot``."""
    from tf2onnx.onnx_opset.tensor import OneHot

    indices, dtype = node.input[0], context.get_dtype(node.input[0])
    if node.inputs[0].type not in _NOT_NEGATIVE and np.issubdtype(_numpy(dtype), np.signedinteger):
        zero = context.make_const(_name(node, "zero"), np.array(0, dtype=_numpy(dtype)))
        depth = context.make_node("Cast", [node.input[1]], attr={"to": dtype}, name=_name(node, "depth"))
        negative = context.make_node("Less", [indices, zero.output[0]], name=_name(node, "Less"))
        shape = context.get_shape(indices)
        settled = context.make_node(
            "Where",
            [negative.output[0], depth.output[0], indices],
            name=_name(node, "Where"),
            shapes=[shape],
            dtypes=[dtype],
        )
        context.replace_input(node, indices, settled.output[0], 0)
    OneHot.version_13(context, node)


def _name(node: Any, role: str) -> str:
    from tf2onnx.utils import make_name

    name: str = make_name(f"{node.name}/{role}")
    return name


def _is_float(context: Any, node: Any) -> bool:
    return bool(np.issubdtype(_numpy(context.get_dtype(node.input[0])), np.floating))


def _numpy(dtype: int) -> Any:
    from tf2onnx.utils import map_onnx_to_numpy_type

    return map_onnx_to_numpy_type(dtype)

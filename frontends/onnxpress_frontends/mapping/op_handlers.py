"""TensorFlow operators that tf2onnx has no handler for, or a wrong one, written in ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from onnxpress_frontends.mapping import integer_arithmetic, resizing

Handler = Callable[..., None]


def complementary_error(context: Any, node: Any, name: str, arguments: Any) -> None:
    """``Erfc(x) = 1 - Erf(x)``; exact GELU is made of it."""
    erf = context.make_node("Erf", [node.input[0]], name=f"{node.name}/Erf")
    one = context.make_const(f"{node.name}/one", np.array(1, dtype=_dtype(context, node)))
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=node.output, name=node.name, shapes=shapes, dtypes=dtypes
    )


def keep(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Leave a node as it is: ONNX calls it the same, or it carries a grid (`quantization_carriers`) past tf2onnx."""


def _dtype(context: Any, node: Any) -> Any:
    from tf2onnx.utils import map_onnx_to_numpy_type

    return map_onnx_to_numpy_type(context.get_dtype(node.input[0]))


HANDLERS: Mapping[str, tuple[Handler, list[str]]] = {
    "Erfc": (complementary_error, []),
    "FloorDiv": (integer_arithmetic.floor_divide, []),
    "FloorMod": (integer_arithmetic.floor_modulo, []),
    "Log": (keep, []),
    "OneHot": (integer_arithmetic.one_hot, []),
    "ScatterNd": (integer_arithmetic.scatter, []),
    **dict.fromkeys(resizing.OPERATORS, (resizing.resize, [])),
    **dict.fromkeys(integer_arithmetic.PRODUCTS, (integer_arithmetic.matrix_product, [])),
    "FakeQuantWithMinMaxArgs": (keep, []),
    "Dequantize": (keep, []),
}
"""As tf2onnx takes them: operator to handler and its extra arguments."""

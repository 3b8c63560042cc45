"""Nodes whose kernel can be factored, and the reasons why others cannot.

A layer must be a Conv without groups, a Gemm, or a MatMul by a matrix, whose weight is a float constant that nobody
else uses: where another layer needs the weight whole, its factors would come on top.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.constants import constant
from onnxpress.decomposition.rewriting import kernel_of
from onnxpress.errors import InvalidModel
from onnxpress.naming import described


def obstacle(node: ir.Node) -> str | None:
    """Why the kernel of `node`, a Conv, Gemm or MatMul, cannot be factored; None if it can."""
    weight = node.inputs[1]
    maker = None if weight is None else weight.producer()
    tensor = constant(weight)
    if maker is not None and maker.op_type == "DequantizeLinear":
        return "its weight is quantised already"
    if weight is None or tensor is None:
        return "its weight is no constant"
    if not tensor.dtype.is_floating_point():
        return f"its weight is of type {tensor.dtype.name}"
    if not tensor.size:
        return "its weight is empty"
    groups = node.attributes.get_int("group", 1)
    if groups > 1:
        return "it is depthwise" if tensor.shape[1] == 1 else f"it has {groups} groups"
    if node.op_type != "Conv" and len(tensor.shape) != 2:
        return "it multiplies by a vector" if len(tensor.shape) == 1 else "it multiplies stacks of matrices"
    if len(weight.uses()) > 1 or weight.is_graph_output():
        return "its weight is used elsewhere, too"
    return None


def check_finite(node: ir.Node) -> None:
    """Refuse a layer whose weight nothing can be made of.

    Raises:
        InvalidModel: It holds NaN or infinity.
    """
    if not np.isfinite(kernel_of(node)).all():
        name = "" if node.inputs[1] is None else node.inputs[1].name
        raise InvalidModel(
            f"the weight {name!r} of {described(node)} holds NaN or infinity; "
            "mend the model, or leave the layer out with exclude_nodes"
        )

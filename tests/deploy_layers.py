"""Deploy models of one layer, made of arrays: values are ``x``, ``q``, ``c`` (the operator), ``a`` (Add), ``y``."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress.ascend.operators import pack


def one_layer(
    op: str,
    shape: tuple[int, ...],
    *,
    weight: NDArray[Any] | None = None,
    bias: NDArray[Any] | None = None,
    deq_scale: NDArray[np.float32] | float = 1.0,
    scale: float = 1.0,
    offset: int = 0,
    opset: int = 17,
    quant: dict[str, Any] | None = None,
    dequant: dict[str, Any] | None = None,
    **attributes: Any,
) -> ir.Model:
    """AscendQuant, `op`, AscendDequant.

    Args:
        op: The operator on integers.
        shape: Of the input ``x``.
        weight: Cast to int8.
        bias: Cast to int32; that of a MatMul goes into an Add.
        deq_scale: One for all, or one for each channel.
        scale: Of AscendQuant.
        offset: Of AscendQuant.
        opset: Of the default domain.
        quant: More attributes of AscendQuant.
        dequant: Those of AscendDequant.
        **attributes: Those of `op`.
    """
    constants = {
        "w": None if weight is None else weight.astype(np.int8),
        "b": None if bias is None else bias.astype(np.int32),
        "s": pack(np.atleast_1d(np.float32(deq_scale))),
    }
    node = onnx.helper.make_node
    behind = op == "MatMul" and bias is not None
    given = ["w"] if weight is not None else []
    given += ["b"] if bias is not None and not behind else []
    nodes = [
        node("AscendQuant", ["x"], ["q"], "q", scale=scale, offset=float(offset), dst_type="INT8", **quant or {}),
        node(op, ["q", *given], ["c"], "c", **attributes),
        *([node("Add", ["c", "b"], ["a"], "a")] if behind else []),
        node("AscendDequant", ["a" if behind else "c", "s"], ["y"], "y", **dequant or {}),
    ]
    kind = onnx.TensorProto.FLOAT16 if (dequant or {}).get("dtype") else onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "layer",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if array is not None],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    return ir.serde.deserialize_model(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))

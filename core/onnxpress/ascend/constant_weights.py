"""The integers of layers as initialisers that their operators use directly.

AMCT leaves constants where the exporter had them: in Constant nodes, and weights of a MatMul behind a Transpose.
"""

from __future__ import annotations

from copy import copy

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass


def settle_constants(model: ir.Model, *, weights: ir.DataType = ir.DataType.INT8) -> None:
    """Turn Constants into initialisers, and transpose those that stand before a Transpose, in place.

    Args:
        model: The model.
        weights: The type of initialisers to transpose.
    """
    for node in model.graph.all_nodes():
        if node.op_type == "Constant" and node.attributes.get("value") is not None:
            tensor = node.attributes["value"].as_tensor()
            node.attributes["value"] = ir.AttrTensor("value", named(tensor, node.outputs[0].name))
    LiftConstantsToInitializersPass(lift_all_constants=False, size_limit=0)(model)
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Transpose" and not node.domain:
            _transpose(node, weights)


def named(tensor: ir.TensorProtocol, name: str | None) -> ir.TensorProtocol:
    """A tensor of the same numbers under another name, for another model may hold `tensor` under its own."""
    if tensor.dtype == ir.DataType.STRING:
        return tensor
    own = copy(tensor) if isinstance(tensor, ir.ExternalTensor) else ir.Tensor(tensor.numpy(), dtype=tensor.dtype)
    own.name = name
    return own


def _transpose(node: ir.Node, dtype: ir.DataType) -> None:
    source, output = node.inputs[0], node.outputs[0]
    if source is None or not source.is_initializer() or source.is_graph_input() or output.is_graph_output():
        return
    graph = node.graph
    assert graph is not None and source.const_value is not None
    numbers = source.const_value.numpy()
    order = node.attributes.get_ints("perm", range(numbers.ndim)[::-1])
    if source.const_value.dtype != dtype or sorted(order) != list(range(numbers.ndim)):
        return
    turned = numbers.transpose(order)
    weight = source if len(source.uses()) == 1 else ir.Value(name=output.name)
    weight.const_value = ir.tensor(np.ascontiguousarray(turned), name=weight.name)
    weight.type, weight.shape = ir.TensorType(dtype), ir.Shape(turned.shape)
    output.replace_all_uses_with(weight)
    graph.remove(node, safe=True)
    if weight is not source:
        graph.register_initializer(weight)

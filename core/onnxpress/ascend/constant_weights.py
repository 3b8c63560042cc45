"""The integers of layers as initialisers that their operators use directly.

AMCT leaves constants where the exporter had them: in Constant nodes, and weights of a MatMul behind a Transpose.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass


def settle_constants(model: ir.Model) -> None:
    """Turn Constants into initialisers, and transpose int8 weights that stand before a Transpose, in place."""
    LiftConstantsToInitializersPass(lift_all_constants=False, size_limit=0)(model)
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Transpose" and not node.domain:
            _transpose(node)


def _transpose(node: ir.Node) -> None:
    source, output = node.inputs[0], node.outputs[0]
    if source is None or not source.is_initializer() or source.is_graph_input() or output.is_graph_output():
        return
    graph = node.graph
    assert graph is not None and source.const_value is not None
    if source.const_value.dtype != ir.DataType.INT8:
        return
    turned = source.const_value.numpy().transpose(node.attributes.get_ints("perm", None))
    weight = source if len(source.uses()) == 1 else ir.Value(name=output.name)
    weight.const_value = ir.tensor(np.ascontiguousarray(turned), name=weight.name)
    weight.type, weight.shape = ir.TensorType(ir.DataType.INT8), ir.Shape(turned.shape)
    output.replace_all_uses_with(weight)
    graph.remove(node, safe=True)
    if weight is not source:
        graph.register_initializer(weight)

"""Types and shapes of a deploy model, whose operators ONNX cannot infer.

Inference runs on a stand-in of the same nodes: Cast for Ascend's operators and floats for integers, which has the same
shapes, and breaks where the model contradicts itself.  Behind AscendQuant then stands int8, behind an operator on
integers int32.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.ascend.layers import layers
from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, OPERATORS, QUANT
from onnxpress.ascend.prototypes import CARRIERS
from onnxpress.model_files import without_weights
from onnxpress.verify import infer_shapes

_INTEGERS = (ir.DataType.INT8, ir.DataType.INT32)

_SMALL = 1024
"""Bytes up to which initialisers take part in shape inference; shapes and axes are small."""


def write_types(model: ir.Model) -> None:
    """Write inferred types and shapes into the values of a model whose layers are whole.

    Raises:
        InvalidModel: Shapes or types contradict each other.
    """
    stand_in = _stand_in(model)
    infer_shapes(stand_in)
    for node, like in zip(model.graph.all_nodes(), stand_in.graph.all_nodes(), strict=True):
        for value, inferred in zip(node.outputs, like.outputs, strict=True):
            value.type, value.shape = inferred.type, inferred.shape
    for layer in layers(model):
        for accumulator in (layer.cube.outputs[0], layer.dequant.inputs[0]):
            if accumulator is not None:
                accumulator.type = ir.TensorType(ir.DataType.INT32)
    _mark_int8(model)


def _mark_int8(model: ir.Model) -> None:
    for node in model.graph.all_nodes():
        source = node.inputs[0] if node.inputs else None
        carried = node.op_type in CARRIERS and source is not None and source.dtype == ir.DataType.INT8
        if node.op_type == QUANT or carried:
            node.outputs[0].type = ir.TensorType(ir.DataType.INT8)


def _stand_in(model: ir.Model) -> ir.Model:
    """A copy with the same nodes in the same order, all of float32 inside layers."""
    copy = without_weights(model, keep=_SMALL)
    for layer in layers(copy):
        fillers = [value for node in layer.carriers for value in node.inputs[1:]]
        for value in (layer.weight, layer.bias, *fillers):
            if value is not None and value.shape is not None and value.dtype in _INTEGERS:
                value.const_value = _absent(value.name or "", value.shape)
                value.type = ir.TensorType(ir.DataType.FLOAT)  # a new one: copies of a model share their types
    for node in copy.graph.all_nodes():
        for value in node.outputs:
            if not value.is_graph_output():
                value.type, value.shape = None, None
        if node.op_type in OPERATORS and not node.domain:
            _become_cast(node)
    return copy


def _become_cast(node: ir.Node) -> None:
    half = node.op_type in (DEQUANT, ANTI_QUANT) and node.attributes.get_int("dtype", 0) == 1
    node.op_type = "Cast"
    node.resize_inputs(1)
    node.attributes.clear()
    node.attributes["to"] = ir.AttrInt64("to", (ir.DataType.FLOAT16 if half else ir.DataType.FLOAT).value)


def _absent(name: str, shape: ir.Shape) -> ir.ExternalTensor:
    """Floats for shape inference, which looks at their shape alone."""
    return ir.ExternalTensor("absent", 0, 0, ir.DataType.FLOAT, shape=shape, name=name)

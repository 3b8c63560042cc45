"""A deploy model with its integers carried in float32, the offset taken off: what AMCT's simulations compute with.

    AscendQuant gives q - offset, weights and biases are the same integers in float32, so that stock operators compute
    on them and pad with zero; AscendDequant multiplies as before.  AveragePool averages q - offset.

Exact as long as no sum passes 2**24: beyond, float32 has no place for the last bits.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.layers import Layer, layers
from onnxpress.ascend.operators import QUANT


def integers_as_floats(model: ir.Model) -> ir.Model:
    """A deploy model in float form, Ascend's operators still in place; no weight is converted before it is read.

    Args:
        model: A model that `onnxpress.ascend.checking.check` passed; it is not changed.
    """
    copy = model.clone()
    for layer in [*layers(copy)]:
        _convert(layer)
    for node in copy.graph.all_nodes():
        if node.op_type == QUANT and not node.domain:
            node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    return copy


def _convert(layer: Layer) -> None:
    for constant in (layer.weight, layer.bias):
        if constant is not None and constant.dtype != ir.DataType.FLOAT:
            assert constant.const_value is not None
            constant.const_value = _as_floats(constant.const_value)
            constant.type = ir.TensorType(ir.DataType.FLOAT)
    for node in (*layer.carriers, layer.cube, layer.add):
        if node is not None:
            node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    for node in layer.carriers:
        if node.op_type == "Pad" and len(node.inputs) > 2 and node.inputs[2] is not None:
            _pad_with_zero(node)


def _pad_with_zero(pad: ir.Node) -> None:
    """The offset is off, so that its place is zero."""
    value = pad.inputs[2]
    assert value is not None
    if value.dtype != ir.DataType.FLOAT:
        value.const_value = ir.tensor(np.zeros((), np.float32), name=value.name)
        value.type = ir.TensorType(ir.DataType.FLOAT)


def _as_floats(integers: ir.TensorProtocol) -> ir.LazyTensor:
    return ir.LazyTensor(
        lambda: ir.tensor(integers.numpy().astype(np.float32)),
        dtype=ir.DataType.FLOAT,
        shape=ir.Shape(integers.shape.numpy()),
        name=integers.name,
    )

"""Pairs of QuantizeLinear and DequantizeLinear go to the layers that can use them.

    Q -> DQ -> Flatten -> Gemm                 Q -> DQ -> Flatten -> Q -> DQ -> Gemm
    Q -> DQ -> MaxPool -> Q -> DQ -> Conv      MaxPool -> Q -> DQ -> Conv

    Q -> Transpose -> DQ -> Conv               Transpose -> Q -> DQ -> Conv

all Q alike.  What moves numbers, adds zeros or picks the largest maps numbers on a grid to numbers on the grid, and
quantisation is monotonic: to quantise behind it gives the integers that were quantised before it.  So a pair may be
repeated behind such operators, in front of a layer, and dropped in front of them where nobody sees what it gives.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.ascend.prototypes import CUBES
from onnxpress_backends.ascend.moving import MOVES, pads_zeros
from onnxpress_backends.ascend.steps import Step, dequantizes, grid, quantizes, step
from onnxpress_backends.ascend.stored_integers import activation
from onnxpress_backends.ascend.weights import is_quantized_weight

_COMMUTING = (*MOVES, "DepthToSpace", "Gather", "MaxPool", "Slice", "SpaceToDepth")
"""Operators of which the first output has only numbers of the first input."""


def join_pairs(model: ir.Model) -> None:
    """Let operators that stand between QuantizeLinear and DequantizeLinear move floats instead, in place."""
    for node in [*model.graph.all_nodes()]:
        quantize = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        if quantize is None or not quantizes(quantize) or not _commutes(node) or grid(quantize).axis is not None:
            continue
        if pads_zeros(node):
            continue
        moved, x = node.outputs[0], quantize.inputs[0]
        assert node.graph is not None and x is not None
        again = _like(quantize, moved, f"{node.name}.quantize")
        moved.replace_all_uses_with(again.outputs[0])
        again.replace_input_with(0, moved)
        again.outputs[0].type, again.outputs[0].shape = moved.type, moved.shape
        moved.type = x.type
        node.replace_input_with(0, x)
        node.graph.insert_after(node, again)


def sink_pairs(model: ir.Model) -> None:
    """Repeat pairs in front of layers, and drop those that only led there, in place."""
    join_pairs(model)
    nodes = list(model.graph.all_nodes())
    for node in nodes:
        if node.op_type in CUBES and not node.domain:
            _repeat_before(node)
    for node in nodes:
        quantize = activation(node) if dequantizes(node) else None
        if quantize is not None and _only_requantised(node.outputs[0], step(node)):
            assert quantize.inputs[0] is not None
            node.outputs[0].replace_all_uses_with(quantize.inputs[0])


def _repeat_before(layer: ir.Node) -> None:
    if layer.op_type != "AveragePool" and not is_quantized_weight(layer.inputs[1]):
        return
    reader = layer
    while reader.inputs[0] is not None and (maker := reader.inputs[0].producer()) is not None:
        if not (pads_zeros(maker) and len(maker.outputs[0].uses()) == 1 and reader is layer):
            break
        reader = maker
    value = reader.inputs[0]
    origin = value.producer() if value is not None else None
    if value is None or origin is None or dequantizes(origin):
        return
    while origin is not None and _commutes(origin):
        origin = origin.inputs[0].producer() if origin.inputs[0] is not None else None
    quantize = activation(origin) if origin is not None and dequantizes(origin) else None
    if quantize is not None and origin is not None:
        first = _like(quantize, value, f"{layer.name}.quantize")
        second = _like(origin, first.outputs[0], f"{layer.name}.dequantize")
        assert reader.graph is not None
        reader.graph.insert_before(reader, [first, second])
        second.outputs[0].type, second.outputs[0].shape = value.type, value.shape
        reader.replace_input_with(0, second.outputs[0])


def _like(node: ir.Node, value: ir.Value, name: str) -> ir.Node:
    """`node` on another tensor; the names are gone before anybody sees them."""
    inputs = [value, *node.inputs[1:]]
    return ir.Node(
        node.domain, node.op_type, inputs, node.attributes.values(), name=name, outputs=[ir.Value(name=name)]
    )


def _only_requantised(value: ir.Value, like: Step) -> bool:
    """Whether all that becomes of `value` is quantised once more as it was."""
    if value.is_graph_output() or not value.uses():
        return False
    for use in value.uses():
        again = quantizes(use.node) and use.idx == 0 and step(use.node) == like
        passed_on = use.idx == 0 and _commutes(use.node) and _only_requantised(use.node.outputs[0], like)
        if not (again or passed_on):
            return False
    return True


def _commutes(node: ir.Node) -> bool:
    if pads_zeros(node):
        return True
    return node.op_type in _COMMUTING and not node.domain and not any(output.uses() for output in node.outputs[1:])

"""The layers of a deploy model set apart from ONNX's operators, so that rules of their own are found for them.

What a rule must know of the whole layer is written on its nodes as attributes.  TensorFlow's nodes are called after the
values they give, so accumulators are called like the operators that give them.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.ascend.layers import Layer, layers
from onnxpress.ascend.operators import OPERATORS
from onnxpress.errors import UnsupportedModel

DOMAIN = "onnxpress.ascend"
"""The domain of the nodes of layers."""

BIAS = "Bias"
"""The Add between MatMul and AscendDequant: accumulator, bias."""


def mark(model: ir.Model) -> None:
    """Put every node of a layer of a deploy model, and every other of Ascend's, into `DOMAIN`; changes it.

    Raises:
        UnsupportedModel: A layer stands inside of a branch or a loop.
    """
    for node in model.graph.all_nodes():
        if node.op_type in OPERATORS and node.graph is not model.graph:
            raise UnsupportedModel(
                f"node {node.name!r} ({node.op_type}) stands inside of an If, a Loop or a Scan, where GE does not look "
                "for layers of a TensorFlow graph; leave what is inside float"
            )
    found = list(layers(model))
    for node in model.graph.all_nodes():
        if node.op_type in OPERATORS and not node.domain:
            node.domain = DOMAIN
    for layer in found:
        _mark(layer)
    _entitle(model.graph, [node for layer in found for node in (layer.cube, layer.add) if node is not None])
    model.opset_imports[DOMAIN] = model.opset_imports[""]


def _mark(layer: Layer) -> None:
    cube = layer.cube
    cube.domain = DOMAIN
    cube.attributes.add(ir.AttrInt64("scales", len(layer.deq_scale)))
    pooled = cube.attributes.get_ints("kernel_shape", ()) if layer.weight is None else ()
    layer.dequant.attributes.add(ir.AttrInt64s("ksize", pooled or (1, 1)))
    for node in layer.carriers:
        if node.op_type == "Pad":
            node.domain = DOMAIN
            node.attributes.add(ir.AttrInt64("offset", layer.offset))
    if layer.add is not None:
        layer.add.op_type, layer.add.domain = BIAS, DOMAIN
        layer.add.replace_input_with(0, cube.outputs[0])
        layer.add.replace_input_with(1, layer.bias)


def _entitle(graph: ir.Graph, nodes: list[ir.Node]) -> None:
    """Call accumulators like the nodes that give them, where the name is free."""
    taken = {value.name for node in graph.all_nodes() for value in (*node.inputs, *node.outputs) if value is not None}
    for node in nodes:
        (output,) = node.outputs
        if node.name and node.name not in taken:
            taken.add(node.name)
            output.name = node.name

"""The fake-quant model of a deploy model: stock ONNX that computes with its integers in float32, as AMCT writes it.

    AscendQuant      Mul(1 / scale_d) -> Round -> Add(offset) -> Clip(-128, 127) -> Sub(offset)
    AscendDequant    Mul(deq_scale), along the channels
    AscendAntiQuant  Mul(scale_d)

and weights and biases are the integers in float32.  Names are AMCT's: ``<layer>.quant.fakequant.mul`` and so on,
``<layer>.fakedequant.mul``.  It agrees with the integers bit by bit while no accumulator passes 2**24.

It does not agree bit by bit with the QuantizeLinear model that it comes from: that divides by scale_d where this
multiplies by the float32 nearest to 1 / scale_d, so that a value next to a tie may round to the other side; and that
adds up rounded products of floats where this adds up integers.  The rest is the last bits of float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.layers import Layer, layers
from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT
from onnxpress_backends.ascend.float_form import integers_as_floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_LAST_AXIS = ("Gemm", "MatMul")


def fake_quantised(model: ir.Model) -> ir.Model:
    """The fake-quant model of `model`; no weight is converted before it is read.

    Args:
        model: A deploy model that `onnxpress.ascend.checking.check` passed, of opset 11 or above; it is not changed.
    """
    result = integers_as_floats(model)
    scales = {layer.dequant.name: _shaped(layer) for layer in layers(model)}
    for node in [*result.graph.all_nodes()]:
        if node.op_type == QUANT and not node.domain:
            _replace(node, _quantisation(node))
        elif node.op_type == ANTI_QUANT and not node.domain:
            _replace(node, _multiplication(node, f"{node.name}.fake_antiquant", "scale", _number(node, "scale")))
        elif node.op_type == DEQUANT and not node.domain:
            layer = (node.name or "").removesuffix(".dequant")
            _replace(node, _multiplication(node, f"{layer}.fakedequant", "dqscale", scales[node.name]))
    return result


def _quantisation(node: ir.Node) -> list[ir.Node]:
    base, offset = f"{node.name}.fakequant", _number(node, "offset")
    limits = [_constant(f"{base}.{name}", np.float32(limit)) for name, limit in (("min_val", -128), ("max_val", 127))]
    stored = _constant(f"{base}.offset", offset)
    chain = _multiplication(node, base, "scale", _number(node, "scale"))
    for op_type, operands in (("Round", []), ("Add", [stored]), ("Clip", limits), ("Sub", [stored])):
        inputs = [chain[-1].outputs[0], *(operand.outputs[0] for operand in operands)]
        chain.append(_node(op_type, f"{base}.{op_type.lower()}", inputs))
    return [stored, *limits, *chain]


def _multiplication(node: ir.Node, base: str, name: str, factor: NDArray[np.float32] | np.float32) -> list[ir.Node]:
    scale = _constant(f"{base}.{name}", factor)
    data = node.inputs[0]
    assert data is not None
    return [scale, _node("Mul", f"{base}.mul", [data, scale.outputs[0]])]


def _replace(node: ir.Node, chain: list[ir.Node]) -> None:
    """Let the last of `chain` give what `node` gave."""
    old, new = node.outputs[0], chain[-1].outputs[0]
    graph = node.graph
    assert graph is not None
    graph.insert_before(node, chain)
    for link in chain:
        if link.op_type != "Constant":
            link.outputs[0].type, link.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), old.shape
    was_output, name = old.is_graph_output(), old.name
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    if was_output or node.op_type != QUANT:
        new.name = name


def _shaped(layer: Layer) -> NDArray[np.float32]:
    """deq_scale as it broadcasts to the accumulator."""
    data = layer.cube.outputs[0].shape
    if layer.cube.op_type in (*_ON_LAST_AXIS, "AveragePool") or data is None:
        return layer.deq_scale.reshape(1, -1)
    return layer.deq_scale.reshape(1, -1, *[1] * (len(data) - 2))


def _number(node: ir.Node, name: str) -> np.float32:
    return np.float32(node.attributes[name].as_float())


def _constant(name: str, numbers: NDArray[np.float32] | np.float32) -> ir.Node:
    tensor = ir.tensor(np.asarray(numbers, dtype=np.float32), name=name)
    value = ir.Value(
        name=f"{name}.output0", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(tensor.shape.numpy())
    )
    return ir.Node("", "Constant", [], [ir.AttrTensor("value", tensor)], name=name, outputs=[value])


def _node(op_type: str, name: str, inputs: list[ir.Value]) -> ir.Node:
    return ir.Node("", op_type, inputs, name=name, outputs=[ir.Value(name=f"{name}.output0")])

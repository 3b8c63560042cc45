"""A stored bias that is added behind a product goes into it, which integer kernels expect of it.

    Add(Conv(x, w), b[1, C, 1, 1])     ->  Conv(x, w, b[C])          also of ConvTranspose
    Add(MatMul(x, w), b[C])            ->  Gemm(x, w, b)             where x is a matrix

for a ``b`` that is DequantizeLinear of 32-bit integers.  tf2onnx does so with the biases that it sees; stored integers
stand outside while it works.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.rewiring import replace_uses
from onnxpress_frontends.finishing.substituting import Substitute

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def join_biases(model: ir.Model) -> None:
    """Join what can be joined, in place; shapes must be known."""
    for node in list(model.graph):
        if node.op_type == "Add" and len(node.inputs) == 2:
            for product, bias in (node.inputs, node.inputs[::-1]):
                if product is not None and bias is not None and _joins(product, bias):
                    _join(node, product, bias)
                    break


def _joins(product: ir.Value, bias: ir.Value) -> bool:
    maker, stored = product.producer(), _stored(bias)
    if maker is None or stored is None or len(maker.inputs) != 2:
        return False
    if product.is_graph_output() or len(product.uses()) != 1:
        return False
    if maker.op_type in _CONVOLUTIONS:
        rank = None if product.shape is None else len(product.shape)
        return rank is not None and _lies_along(stored, rank, channel=1)
    matrices = [value is not None and value.shape is not None and len(value.shape) == 2 for value in maker.inputs]
    return maker.op_type == "MatMul" and all(matrices) and len(stored.shape) == 1


def _stored(bias: ir.Value) -> ir.TensorProtocol | None:
    """The integers behind `bias`."""
    maker = bias.producer()
    if maker is None or maker.op_type != "DequantizeLinear" or maker.inputs[0] is None:
        return None
    integers = ir.convenience.get_const_tensor(maker.inputs[0])
    return integers if integers is not None and integers.dtype == ir.DataType.INT32 else None


def _lies_along(stored: ir.TensorProtocol, rank: int, *, channel: int) -> bool:
    sizes = list(stored.numpy().shape)
    sizes = [1] * (rank - len(sizes)) + sizes
    return len(sizes) == rank and all(size == 1 for axis, size in enumerate(sizes) if axis != channel)


def _join(node: ir.Node, product: ir.Value, bias: ir.Value) -> None:
    maker, dequantize, integers = product.producer(), bias.producer(), _stored(bias)
    graph = node.graph
    assert maker is not None and dequantize is not None and integers is not None and graph is not None
    write = Substitute(maker)
    scale, zero_point = (value for value in dequantize.inputs[1:3] if value is not None)
    axis = None if scale.shape is None or not len(scale.shape) else 0
    flat = write.call("DequantizeLinear", integers.numpy().reshape(-1), scale, zero_point, axis=axis)
    flat.shape, flat.type = ir.Shape([integers.size]), bias.type
    if maker.op_type == "MatMul":
        joined = write.call("Gemm", *(value for value in maker.inputs if value is not None), flat)
        joined.shape, joined.type = product.shape, product.type
        replace_uses(node.outputs[0], joined)
        graph.remove([node, maker], safe=True)
    else:
        maker.resize_inputs(3)
        maker.replace_input_with(2, flat)
        replace_uses(node.outputs[0], product)
        graph.remove(node, safe=True)
    if not bias.uses():
        graph.remove(dequantize, safe=True)

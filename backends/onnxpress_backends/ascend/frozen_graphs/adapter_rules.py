"""The rules for what `marking` sets apart: Ascend's operators, and layers of integers carried in float32.

Between AscendQuant and AscendDequant run TensorFlow's operators for floats, on integers without their offset, so that
padding is zero; they are those that GE recognises.  A convolution in groups over one or two axes, when it is not
depthwise, is one for each group between Split and ConcatV2; other groups become one, with zeros between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT
from onnxpress_backends.ascend.frozen_graphs.integer_constants import IntegerLayer, parts
from onnxpress_backends.ascend.frozen_graphs.marking import BIAS, DOMAIN
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.windows import padded, window
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement, Constant
from onnxpress_backends.tensorflow.layout.layouts import channels_last
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.rules import convolution, matrix_products, padding, pooling, transposed_convolution

CUBES = ("AvgPool", "BatchMatMulV2", "Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "MatMul")
"""TensorFlow's operators that GE runs in integers."""


def quant(call: Call) -> Laid:
    """AscendQuant, in whatever order its input lies."""
    tensor, layout = call.value(0).laid
    scale, offset = call.attribute("scale"), call.attribute("offset")
    return Laid(_own(call, QUANT, tensor, dst_type="INT8", quant_bits=8, scale=scale, offset=offset), layout)


def dequant(call: Call) -> Laid:
    """AscendDequant; the channels of what it reads lie last."""
    tensor, layout = call.value(0).laid
    words = call.constant(1)
    assert words is not None
    name = f"{call.node.name}.param"
    param = Tensor(call.graph.add("Const", name=name, value=words.reshape(-1), dtype=DType.UINT64))
    return Laid(_own(call, DEQUANT, tensor, param, ksize=call.attribute("ksize"), data_format="NHWC"), layout)


def anti_quant(call: Call) -> Laid:
    """AscendAntiQuant; GE adds its offset, and ATC turns the sign of it in ONNX files alone."""
    tensor, layout = call.value(0).laid
    scale, offset = call.attribute("scale"), 0.0 - call.attribute("offset")
    return Laid(_own(call, ANTI_QUANT, tensor, scale=scale, offset=offset), layout)


def _own(call: Call, op: str, *inputs: Tensor, **attrs: Any) -> Tensor:
    """One of Ascend's operators, called as in the deploy model, even where it gives a graph output."""
    return Tensor(call.graph.add(op, *inputs, name=call.node.name, **attrs))


def conv(call: Call) -> Laid:
    """Conv; depthwise or in groups, too."""
    layer = IntegerLayer(call.node, call.scope)
    group, kernel = layer.attribute("group", 1), layer.sizes(1)
    if group == 1:
        return _named(layer, convolution.conv)
    if layer.rank(0) == 5:
        return _ungrouped(call, convolution.conv)
    return _depthwise(layer) if kernel[1] == 1 else _grouped(layer)


def _depthwise(layer: IntegerLayer) -> Laid:
    """TensorFlow's kernel has one stride for both axes: of two, every step is made and some results are taken."""
    layer.offsets_axis = 2
    strides, dilations = (layer.attribute(name) or [1] for name in ("strides", "dilations"))
    if len(set(strides)) == 1 or max(dilations) > 1:
        return _named(layer, convolution.conv)
    befores, afters = zip(*window(layer, layer.sizes(1)[2:]).pads, strict=True)
    pads = [int(np.asarray(pad.known)) for pad in (*befores, *afters)]
    layer.told = {"auto_pad": "NOTSET", "pads": pads, "strides": [1] * len(strides)}
    result, layout = _named(layer, convolution.conv)
    return Laid(convolution.every(layer, result, strides), layout)


def _ungrouped(call: Call, rule: Rule, *, offsets_axis: int = 3) -> Laid:
    """A layer whose groups, if it has any, GE does not know: as one without, of more products, most by zero."""
    groups = call.attribute("group", 1)
    layer = IntegerLayer(call.node, call.scope, offsets_axis=offsets_axis, told={"group": 1}, groups=groups)
    return _named(layer, rule)


def conv_transpose(call: Call) -> Laid:
    """ConvTranspose over one or two axes."""
    return _ungrouped(call, transposed_convolution.conv_transpose, offsets_axis=2)


def gemm(call: Call) -> Laid:
    """Gemm, its flags at their defaults: a product and a bias."""
    product = _named(IntegerLayer(call.node, call.scope), matrix_products.mat_mul)
    return _biased(IntegerLayer(call.node, call.scope), product, call.value(2)) if call.has(2) else product


def bias(call: Call) -> Laid:
    """The bias of a MatMul."""
    return _biased(IntegerLayer(call.node, call.scope, call.made), call.value(0).laid, call.value(1))


def _biased(call: IntegerLayer, product: Laid, stored: Value) -> Laid:
    """GE looks for BiasAdd, and behind a stack of matrices for Add."""
    assert stored.constant is not None
    size = prod(stored.constant.shape)
    addend = call.bias_of(stored).weight(Arrangement(view=(size,), perm=(0,), shape=(size,)))
    op = "Add" if product.tensor.node.op == "BatchMatMulV2" else "BiasAdd"
    return Laid(call.emit(op, product.tensor, addend), product.layout)


def pad(call: Call) -> Laid:
    """Pad of integers; without the offset, what stands for zero is zero."""
    known = call.constant(2)
    filled = 0.0 if known is None else float(known.reshape(()))
    fill = np.array(filled - call.attribute("offset"), np.float32)
    name = f"{call.node.name}.fill"
    constant = Constant(name=name, source=ir.tensor(fill), shape=(), dtype=DType.FLOAT)
    value = Value(graph=call.graph, name=name, dtype=DType.FLOAT, shape=(), constant=constant)
    return padding.pad(_Filled(call.node, call.scope, call.made, fill=value))


@dataclass(eq=False)
class _Filled(Call):
    """A Pad whose fill is another."""

    fill: Value = field(kw_only=True)

    def has(self, index: int) -> bool:
        return index == 2 or super().has(index)

    def value(self, index: int) -> Value:
        return self.fill if index == 2 else super().value(index)


def _layer(rule: Rule) -> Rule:
    """What a rule of TensorFlow's makes of a layer."""
    return lambda call: _named(IntegerLayer(call.node, call.scope), rule)


def _named(layer: IntegerLayer, rule: Rule) -> Laid:
    """The same, the operator named after the layer."""
    result = rule(layer)
    for node in layer.made:
        if node.op in CUBES:
            node.name = layer.graph.unique(layer.node.name or node.name)
    return result if isinstance(result, Laid) else Laid(cast(Tensor, result), None)


def _grouped(call: IntegerLayer) -> Laid:
    kernel, group, rank = call.sizes(1), call.attribute("group"), call.rank(0)
    slide = window(call, kernel[2:])
    one = (1,) * (slide.rank == 1)
    tensor = call.tensor(0, channels_last(rank))
    tensor = padded(call, tensor, slide) if slide.padding == "EXPLICIT" else tensor
    tensor = call.emit("ExpandDims", tensor, call.const(1, DType.INT32)) if one else tensor
    split = call.emit_node("Split", call.const(3, DType.INT32), tensor, num_split=group)
    view = (kernel[0] // group, kernel[1], *one, *kernel[2:])
    order = Arrangement(view=view, perm=(2, 3, 1, 0), shape=(*view[2:], view[1], view[0]))
    biases = parts(Call.value(call, 2), group) if call.has(2) else []
    sums = []
    for index, stored in enumerate(parts(Call.value(call, 1), group)):
        node = call.emit_node(
            "Conv2D",
            Tensor(split, index),
            call.weight_of(stored).weight(order),
            strides=[1, *one, *slide.strides, 1],
            dilations=[1, *one, *slide.dilations, 1],
            padding="SAME" if slide.padding == "SAME" else "VALID",
        )
        node.name = call.graph.unique(f"{call.node.name}_{index}")
        sums.append(Tensor(node))
        if biases:
            sums[-1] = call.emit("BiasAdd", Tensor(node), call.bias_of(biases[index]).tensor())
    result = call.emit("ConcatV2", sums, call.const(3, DType.INT32))
    return Laid(call.emit("Squeeze", result, squeeze_dims=[1]) if one else result, channels_last(rank))


_BY_NAME: Mapping[str, Rule] = {
    ANTI_QUANT: anti_quant,
    DEQUANT: dequant,
    QUANT: quant,
    BIAS: bias,
    "AveragePool": _layer(pooling.average_pool),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": _layer(matrix_products.mat_mul),
    "Pad": pad,
}

RULES: Mapping[str, Rule] = {f"{DOMAIN}::{name}": rule for name, rule in _BY_NAME.items()}

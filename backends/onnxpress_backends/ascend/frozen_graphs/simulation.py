"""Ascend's operators as functions of TensorFlow's own, so that stock TensorFlow runs a graph that has them.

A node whose operator is not registered calls the function of that name in the library of its graph; the attributes of
the node are those of the function.  What they compute is what the kernels of the adapter compute on a CPU
(``hicann/tensorflow``, ``tf_adapter/kernels/aicore/amct_*.cc``), in float32 with the offset already removed:

    AscendQuant         clip(round(x * scale) + offset, -128, 127) - offset     rounding half away from zero
    AscendWeightQuant   float(x) - float(offset_w)
    AscendDequant       x * deq_scale[c]                                        no shift; the area is a detour of 1
    AscendAntiQuant     x * scale

A float attribute becomes a tensor through the one operator that multiplies by an attribute, LeakyRelu of -1.  Grappler
would draw a product by a constant into the weights of the convolution next to it, and into another such product, which
changes the last bit; an axis that comes and goes keeps them apart, and moves
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, WEIGHT_QUANT
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.graphs.graph_def import Given, function_def, set_attribute
from onnxpress_backends.tensorflow.graphs.op_definitions import definition


def function(op: str) -> Any:
    """The FunctionDef that simulates the operator `op` for float32; it is called like it and takes its attributes."""
    known = definition(op)
    body = Function(name=op, outer=Graph())
    arguments = [
        body.argument(DType.FLOAT if kind == "T" else DType(int(kind.removeprefix("="))), name)
        for name, kind in known.inputs
    ]
    body.give([_BODIES[op](body, *arguments)])
    proto = function_def(body)
    proto.signature.name = op
    (given,) = proto.signature.output_arg
    ((result, _),) = known.outputs
    proto.ret[result] = proto.ret.pop(given.name)
    given.name = result
    for name, kind in known.attrs.items():
        attribute = proto.signature.attr.add(name=name, type=kind)
        if name in known.defaults:
            set_attribute(attribute.default_value, kind, known.defaults[name])
        if kind == "type":
            attribute.allowed_values.list.type.append(DType.FLOAT)
    return proto


def _quant(body: Function, x: Tensor) -> Tensor:
    offset = _number(body, "offset")
    rounded = _rounded(body, _scaled(body, x, _number(body, "scale")))
    shifted = _node(body, "AddV2", rounded, offset)
    return _node(body, "Sub", _node(body, "ClipByValue", shifted, _const(body, -128), _const(body, 127)), offset)


def _rounded(body: Function, x: Tensor) -> Tensor:
    """To the nearest whole number, halves away from zero; every step is exact."""
    size = _node(body, "Abs", x)
    whole = _node(body, "Floor", size)
    up = _node(body, "GreaterEqual", _node(body, "Sub", size, whole), _const(body, 0.5))
    return _node(body, "Mul", _node(body, "AddV2", whole, _cast(body, up)), _node(body, "Sign", x))


def _weight_quant(body: Function, x: Tensor, offset: Tensor) -> Tensor:
    return _node(body, "Sub", _cast(body, x), _cast(body, offset))


def _dequant(body: Function, x: Tensor, words: Tensor) -> Tensor:
    """The low halves of the words are floats, along the last axis of `x`."""
    halves = _node(body, "Bitcast", words, type=DType.FLOAT)
    low = [body.constant(np.array(pair, np.int32)) for pair in ((0, 0), (0, 1), (1, 1))]
    scales = _node(body, "StridedSlice", halves, *low, begin_mask=1, end_mask=1, shrink_axis_mask=2)
    return _scaled(body, x, scales)


def _anti_quant(body: Function, x: Tensor) -> Tensor:
    return _scaled(body, x, _number(body, "scale"))


def _scaled(body: Function, x: Tensor, scales: Tensor) -> Tensor:
    return _apart(body, _node(body, "Mul", _apart(body, x), scales))


def _apart(body: Function, x: Tensor) -> Tensor:
    """The same tensor; grappler does not see through it."""
    return _node(body, "Squeeze", _node(body, "ExpandDims", x, body.constant(np.array(0, np.int32))), squeeze_dims=[0])


_BODIES: Mapping[str, Callable[..., Tensor]] = {
    ANTI_QUANT: _anti_quant,
    DEQUANT: _dequant,
    QUANT: _quant,
    WEIGHT_QUANT: _weight_quant,
}


def _number(body: Function, attribute: str) -> Tensor:
    return _node(body, "Neg", _node(body, "LeakyRelu", _const(body, -1), alpha=Given(attribute)))


def _node(body: Function, op: str, *inputs: Tensor, **attrs: Any) -> Tensor:
    return Tensor(body.add(op, *inputs, **attrs))


def _cast(body: Function, x: Tensor) -> Tensor:
    return _node(body, "Cast", x, DstT=DType.FLOAT)


def _const(body: Function, number: float) -> Tensor:
    return body.constant(np.array(number, np.float32))

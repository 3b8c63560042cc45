"""Random numbers by TensorFlow's generators: the distributions are ONNX's, the numbers are not.

A seed makes the numbers of one graph repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.values import Laid, Value

Draw = Callable[[Call, Tensor, DType], Tensor]
"""Of the node, the shape and the type."""


def _seeds(call: Call) -> dict[str, Any]:
    """TensorFlow has two integers, ONNX one number, of which the bits are taken."""
    seed = call.attribute("seed")
    return {} if seed is None else {"seed": int(np.float32(seed).view(np.int32)), "seed2": 1}


def normal(call: Call, shape: Tensor, dtype: DType) -> Tensor:
    """From the normal distribution of a mean and a deviation."""
    drawn = call.emit("RandomStandardNormal", shape, dtype=dtype, **_seeds(call))
    spread = call.emit("Mul", drawn, call.const(call.attribute("scale", 1.0), dtype))
    return call.emit("AddV2", spread, call.const(call.attribute("mean", 0.0), dtype))


def uniform(call: Call, shape: Tensor, dtype: DType) -> Tensor:
    """From an interval, all alike."""
    low, high = call.attribute("low", 0.0), call.attribute("high", 1.0)
    drawn = call.emit("RandomUniform", shape, dtype=dtype, **_seeds(call))
    return call.emit("AddV2", call.emit("Mul", drawn, call.const(high - low, dtype)), call.const(low, dtype))


def of_shape(draw: Draw) -> Rule:
    """A tensor of the shape that the attribute gives."""

    def rule(call: Call) -> Tensor:
        return draw(call, call.const(call.attribute("shape"), DType.INT64), _wanted(call, DType.FLOAT))

    return rule


def like(draw: Draw) -> Rule:
    """A tensor of the shape of the input."""

    def rule(call: Call) -> Laid:
        tensor, layout = call.value(0).laid
        return Laid(draw(call, call.emit("Shape", tensor), _wanted(call, tensor.dtype)), layout)

    return rule


def _wanted(call: Call, default: DType) -> DType:
    named = call.attribute("dtype")
    return default if named is None else of_onnx(ir.DataType(named), f"the output of node {call.node.name!r}")


def bernoulli(call: Call) -> Laid:
    """One with the probability that the input gives, else zero."""
    tensor, layout = call.value(0).laid
    drawn = call.emit("RandomUniform", call.emit("Shape", tensor), dtype=tensor.dtype, **_seeds(call))
    return Laid(call.cast(call.emit("Less", drawn, tensor), _wanted(call, tensor.dtype)), layout)


def multinomial(call: Call) -> Tensor:
    """Classes, drawn by the logarithms of their probabilities."""
    dtype = _wanted(call, DType.INT32)
    samples = call.const(call.attribute("sample_size", 1), DType.INT32)
    return call.emit("Multinomial", call.tensor(0), samples, output_dtype=dtype, **_seeds(call))


def dropout(call: Call) -> list[Laid | Value]:
    """The input itself, unless the node is told to train; which may only be known when the model runs."""
    tensor, layout = call.value(0).laid
    told = call.constant(2)
    if not call.has(2) or (told is not None and not told):
        return [call.value(0), *(Laid(_kept_all(call, tensor), layout) for _ in call.node.outputs[1:])]
    ratio = call.cast(call.tensor(1), tensor.dtype) if call.has(1) else call.const(0.5, tensor.dtype)
    drawn = call.emit("RandomUniform", call.emit("Shape", tensor), dtype=tensor.dtype, **_seeds(call))
    training = call.tensor(2)
    kept = call.emit("GreaterEqual", drawn, ratio)
    kept = call.emit("LogicalOr", kept, call.emit("LogicalNot", training))
    grown = call.emit("RealDiv", tensor, call.emit("Sub", call.const(1, tensor.dtype), ratio))
    grown = call.emit("SelectV2", training, grown, tensor)
    result = call.emit("SelectV2", kept, grown, call.const(0, tensor.dtype))
    return [Laid(result, layout), Laid(kept, layout)]


def _kept_all(call: Call, tensor: Tensor) -> Tensor:
    """The mask that drops nothing; of type bool since opset 10, of that of the input before."""
    ones = call.emit("OnesLike", tensor)
    return ones if call.opset < 10 else call.cast(ones, DType.BOOL)


RULES: Mapping[str, Rule] = {
    "Bernoulli": bernoulli,
    "Dropout": dropout,
    "Multinomial": multinomial,
    "RandomNormal": of_shape(normal),
    "RandomNormalLike": like(normal),
    "RandomUniform": of_shape(uniform),
    "RandomUniformLike": like(uniform),
}

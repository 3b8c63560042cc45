"""Activations that TensorFlow has no operator of its own for, or only for the usual coefficients.

They are written as TensorFlow's users write them, so that its optimiser and TFLite's converter know them again:
``tf.nn.gelu``, ``tf.nn.silu``, ``relu6(x + 3) / 6``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from onnxpress_backends.tensorflow.broadcasting import aligned
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.values import Laid, Value

Formula = Callable[[Call, Tensor], Tensor]

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""The alpha and gamma of TensorFlow's Selu, and ONNX's defaults."""


def pointwise(formula: Formula) -> Rule:
    """The rule of a function of one operand."""

    def rule(call: Call) -> Laid:
        tensor, layout = call.value(0).laid
        return Laid(formula(call, tensor), layout)

    return rule


def scaled(call: Call, tensor: Tensor, factor: float) -> Tensor:
    """`tensor` times a number; itself for 1."""
    return tensor if factor == 1 else call.emit("Mul", tensor, call.const(factor, tensor.dtype))


def shifted(call: Call, tensor: Tensor, addend: float) -> Tensor:
    """`tensor` plus a number; itself for 0."""
    return tensor if addend == 0 else call.emit("AddV2", tensor, call.const(addend, tensor.dtype))


def leaky_relu(call: Call, x: Tensor) -> Tensor:
    """``alpha * x`` below zero."""
    return call.emit("LeakyRelu", x, alpha=call.attribute("alpha", 0.01))


def elu(call: Call, x: Tensor) -> Tensor:
    """``alpha * (exp(x) - 1)`` below zero."""
    return _elu(call, x, call.attribute("alpha", 1.0))


def _elu(call: Call, x: Tensor, alpha: float) -> Tensor:
    plain = call.emit("Elu", x)
    if alpha == 1:
        return plain
    positive = call.emit("Greater", x, call.const(0, x.dtype))
    return call.emit("SelectV2", positive, plain, scaled(call, plain, alpha))


def selu(call: Call, x: Tensor) -> Tensor:
    """An Elu times gamma."""
    alpha, gamma = call.attribute("alpha", _SELU[0]), call.attribute("gamma", _SELU[1])
    if math.isclose(alpha, _SELU[0], rel_tol=1e-7) and math.isclose(gamma, _SELU[1], rel_tol=1e-7):
        return call.emit("Selu", x)
    return scaled(call, _elu(call, x, alpha), gamma)


def celu(call: Call, x: Tensor) -> Tensor:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    alpha = call.attribute("alpha", 1.0)
    if alpha == 1:
        return call.emit("Elu", x)
    grown = call.emit("Expm1", call.emit("RealDiv", x, call.const(alpha, x.dtype)))
    below = call.emit("Minimum", scaled(call, grown, alpha), call.const(0, x.dtype))
    return call.emit("AddV2", call.emit("Relu", x), below)


def thresholded_relu(call: Call, x: Tensor) -> Tensor:
    """Elements above alpha; zero for the others."""
    above = call.emit("Greater", x, call.const(call.attribute("alpha", 1.0), x.dtype))
    return call.emit("SelectV2", above, x, call.const(0, x.dtype))


def hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    """``max(0, min(1, alpha * x + beta))``."""
    line = shifted(call, scaled(call, x, call.attribute("alpha", 0.2)), call.attribute("beta", 0.5))
    return call.emit("ClipByValue", line, call.const(0, x.dtype), call.const(1, x.dtype))


def hard_swish(call: Call, x: Tensor) -> Tensor:
    """``x * relu6(x + 3) / 6``."""
    return call.emit("Mul", x, scaled(call, call.emit("Relu6", shifted(call, x, 3)), 1 / 6))


def swish(call: Call, x: Tensor) -> Tensor:
    """``x * sigmoid(alpha * x)``."""
    return call.emit("Mul", x, call.emit("Sigmoid", scaled(call, x, call.attribute("alpha", 1.0))))


def mish(call: Call, x: Tensor) -> Tensor:
    """``x * tanh(log(1 + exp(x)))``."""
    return call.emit("Mul", x, call.emit("Tanh", call.emit("Softplus", x)))


def gelu(call: Call, x: Tensor) -> Tensor:
    """``x`` times the normal distribution function of ``x``, or its approximation by tanh."""
    if call.attribute("approximate", "none") == "tanh":
        cubed = scaled(call, call.emit("Pow", x, call.const(3, x.dtype)), 0.044715)
        inner = scaled(call, call.emit("AddV2", x, cubed), math.sqrt(2 / math.pi))
        share = call.emit("Tanh", inner)
    else:
        share = call.emit("Erf", call.emit("RealDiv", x, call.const(math.sqrt(2), x.dtype)))
    return call.emit("Mul", scaled(call, x, 0.5), shifted(call, share, 1))


def shrink(call: Call, x: Tensor) -> Tensor:
    """Toward zero by a bias; zero between minus and plus lambda."""
    given = x.dtype
    x = x if given.is_float else call.cast(x, DType.DOUBLE)
    bias, edge = call.attribute("bias", 0.0), call.attribute("lambd", 0.5)
    below = call.emit("Less", x, call.const(-edge, x.dtype))
    above = call.emit("Greater", x, call.const(edge, x.dtype))
    right = call.emit("SelectV2", above, shifted(call, x, -bias), call.const(0, x.dtype))
    return call.cast(call.emit("SelectV2", below, shifted(call, x, bias), right), given)


def p_relu(call: Call) -> Laid:
    """``slope * x`` below zero, with a slope for each channel or element."""
    slope = call.constant(1)
    if slope is not None and slope.size == 1 and call.dtype(0).is_float:
        tensor, layout = call.value(0).laid
        return Laid(call.emit("LeakyRelu", tensor, alpha=float(slope.reshape(()))), layout)
    (x, factor), layout = aligned(call, call.values)
    below = call.emit("Mul", factor, call.emit("Minimum", x, call.const(0, x.dtype)))
    return Laid(call.emit("AddV2", call.emit("Relu", x), below), layout)


def clip(call: Call) -> Laid | Value:
    """``min(high, max(low, x))``; either end may be left out, and is an input since opset 11."""
    x, layout = call.value(0).laid
    low, high = _end(call, "min", 1), _end(call, "max", 2)
    if low == 0 and high == 6 and x.dtype.is_float:
        return Laid(call.emit("Relu6", x), layout)
    known = low is not None and high is not None
    if known and low <= high and x.dtype not in (DType.UINT32, DType.UINT64):
        return Laid(call.emit("ClipByValue", x, call.const(low, x.dtype), call.const(high, x.dtype)), layout)
    if low == 0 and not call.has(2) and high is None:
        return Laid(call.emit("Relu", x), layout)
    clipped = x
    if low is not None or call.has(1):
        clipped = call.emit("Maximum", clipped, call.tensor(1) if call.has(1) else call.const(low, x.dtype))
    if high is not None or call.has(2):
        clipped = call.emit("Minimum", clipped, call.tensor(2) if call.has(2) else call.const(high, x.dtype))
    return call.value(0) if clipped == x else Laid(clipped, layout)


def _end(call: Call, name: str, index: int) -> Any:
    """One end of a Clip; None when it is not given, or computed."""
    known = call.constant(index)
    return call.attribute(name) if known is None else known.reshape(())[()]


RULES: Mapping[str, Rule] = {
    "Celu": pointwise(celu),
    "Clip": clip,
    "Elu": pointwise(elu),
    "Gelu": pointwise(gelu),
    "HardSigmoid": pointwise(hard_sigmoid),
    "HardSwish": pointwise(hard_swish),
    "LeakyRelu": pointwise(leaky_relu),
    "Mish": pointwise(mish),
    "PRelu": p_relu,
    "Selu": pointwise(selu),
    "Shrink": pointwise(shrink),
    "Swish": pointwise(swish),
    "ThresholdedRelu": pointwise(thresholded_relu),
    "com.microsoft::Gelu": pointwise(gelu),
}

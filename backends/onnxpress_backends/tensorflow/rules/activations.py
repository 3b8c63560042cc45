"""Activations made of pieces: one function below zero or a threshold, another above.

TensorFlow has operators for the usual coefficients of some; others are chosen or added up from what it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid

Formula = Callable[[Call, Tensor], Tensor]

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""The alpha and gamma of TensorFlow's Selu, and ONNX's defaults."""


def pointwise(formula: Formula) -> Callable[[Call], Laid]:
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
    layout: Layout | None
    slope = call.constant(1)
    if slope is not None and slope.size == 1 and call.dtype(0).is_float:
        tensor, layout = call.value(0).laid
        return Laid(call.emit("LeakyRelu", tensor, alpha=float(slope.reshape(()))), layout)
    if _is_by_channel(call):
        channels, rank = call.sizes(1)[0], call.rank(0)
        factor = call.weight(1, (channels,), (0,), (channels, *(1,) * (rank - 2)))
        x, layout = call.tensor(0), logical(rank)
    else:
        (x, factor), layout = aligned(call, call.values)
    below = call.emit("Mul", factor, call.emit("Minimum", x, call.const(0, x.dtype)))
    return Laid(call.emit("AddV2", call.emit("Relu", x), below), layout)


def _is_by_channel(call: Call) -> bool:
    """Whether there is one slope for each channel, as before opset 7, which no broadcasting would give."""
    x, slope = call.value(0).shape, call.value(1).shape
    if x is None or slope is None or len(slope) != 1 or len(x) < 3:
        return False
    return None not in (slope[0], x[-1]) and slope[0] not in (1, x[-1]) and slope[0] == x[1]


RULES: Mapping[str, Rule] = {
    "Celu": pointwise(celu),
    "Elu": pointwise(elu),
    "HardSigmoid": pointwise(hard_sigmoid),
    "LeakyRelu": pointwise(leaky_relu),
    "PRelu": p_relu,
    "Selu": pointwise(selu),
    "Shrink": pointwise(shrink),
    "ThresholdedRelu": pointwise(thresholded_relu),
}

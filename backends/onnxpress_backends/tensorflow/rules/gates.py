"""Activations that are the input times a gate between zero and one: Swish, Mish, Gelu and their like.

They are written as TensorFlow's users have them (``tf.nn.silu``, ``tf.nn.gelu``, ``x * relu6(x + 3) / 6``), so that its
optimiser and TFLite's converter know them again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.values import Laid
from onnxpress_backends.tensorflow.rules.activations import Formula, pointwise, scaled, shifted


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
        return fast_gelu(call, x)
    share = call.emit("Erf", call.emit("RealDiv", x, call.const(math.sqrt(2), x.dtype)))
    return call.emit("Mul", scaled(call, x, 0.5), shifted(call, share, 1))


def fast_gelu(call: Call, x: Tensor) -> Tensor:
    """``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))``."""
    cubed = scaled(call, call.emit("Pow", x, call.const(3, x.dtype)), 0.044715)
    share = call.emit("Tanh", scaled(call, call.emit("AddV2", x, cubed), math.sqrt(2 / math.pi)))
    return call.emit("Mul", scaled(call, x, 0.5), shifted(call, share, 1))


def quick_gelu(call: Call, x: Tensor) -> Tensor:
    """A swish of another slope."""
    return call.emit("Mul", x, call.emit("Sigmoid", scaled(call, x, call.attribute("alpha", 1.702))))


def biased(formula: Formula) -> Callable[[Call], Laid]:
    """A function of the sum of an input and a bias, which may be missing: what onnxruntime's optimiser makes."""

    def rule(call: Call) -> Laid:
        if not call.has(1):
            return pointwise(formula)(call)
        operands, layout = aligned(call, call.values)
        return Laid(formula(call, call.emit("AddV2", *operands)), layout)

    return rule


RULES: Mapping[str, Rule] = {
    "Gelu": pointwise(gelu),
    "HardSwish": pointwise(hard_swish),
    "Mish": pointwise(mish),
    "Swish": pointwise(swish),
    "com.microsoft::BiasGelu": biased(gelu),
    "com.microsoft::FastGelu": biased(fast_gelu),
    "com.microsoft::Gelu": pointwise(gelu),
    "com.microsoft::QuickGelu": pointwise(quick_gelu),
}

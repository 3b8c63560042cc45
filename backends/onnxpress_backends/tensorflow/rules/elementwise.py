"""One element at a time: activations and arithmetic.  The layout of the operands is that of the result."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.broadcasting import aligned
from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.values import Laid, Value


def unary(op: str) -> Rule:
    """An operator of one operand that TensorFlow has under the name `op`."""

    def rule(call: Call) -> Laid:
        tensor, layout = call.value(0).laid
        return Laid(call.emit(op, tensor), layout)

    return rule


def binary(op: str) -> Rule:
    """An operator of two operands, broadcast, that TensorFlow has under the name `op`."""

    def rule(call: Call) -> Laid:
        (left, right), layout = aligned(call, call.values)
        return Laid(call.emit(op, left, right), layout)

    return rule


def identity(call: Call) -> Value:
    """The value itself: no node."""
    return call.value(0)


RULES: Mapping[str, Rule] = {
    "Abs": unary("Abs"),
    "Add": binary("AddV2"),
    "Div": binary("RealDiv"),
    "Identity": identity,
    "Mul": binary("Mul"),
    "Relu": unary("Relu"),
    "Sigmoid": unary("Sigmoid"),
    "Sub": binary("Sub"),
    "Tanh": unary("Tanh"),
}

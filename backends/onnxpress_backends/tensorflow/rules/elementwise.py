"""Operators that work on one element at a time and that TensorFlow has, too, under its own name.

The layout of the operands is that of the result: nothing is moved.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.values import Laid, Value


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


def where(call: Call) -> Laid:
    """Elements of the second operand where the first is true, else of the third."""
    operands, layout = aligned(call, call.values)
    return Laid(call.emit("SelectV2", *operands), layout)


RULES: Mapping[str, Rule] = {
    "Acos": unary("Acos"),
    "Acosh": unary("Acosh"),
    "And": binary("LogicalAnd"),
    "Asin": unary("Asin"),
    "Asinh": unary("Asinh"),
    "Atan": unary("Atan"),
    "Atanh": unary("Atanh"),
    "BitwiseAnd": binary("BitwiseAnd"),
    "BitwiseNot": unary("Invert"),
    "BitwiseOr": binary("BitwiseOr"),
    "BitwiseXor": binary("BitwiseXor"),
    "Ceil": unary("Ceil"),
    "Cos": unary("Cos"),
    "Cosh": unary("Cosh"),
    "Equal": binary("Equal"),
    "Erf": unary("Erf"),
    "Exp": unary("Exp"),
    "Floor": unary("Floor"),
    "Greater": binary("Greater"),
    "GreaterOrEqual": binary("GreaterEqual"),
    "Identity": identity,
    "IsNaN": unary("IsNan"),
    "Less": binary("Less"),
    "LessOrEqual": binary("LessEqual"),
    "Log": unary("Log"),
    "Mul": binary("Mul"),
    "Neg": unary("Neg"),
    "Not": unary("LogicalNot"),
    "Or": binary("LogicalOr"),
    "Reciprocal": unary("Reciprocal"),
    "Relu": unary("Relu"),
    "Round": unary("Round"),
    "Sigmoid": unary("Sigmoid"),
    "Sin": unary("Sin"),
    "Sinh": unary("Sinh"),
    "Softplus": unary("Softplus"),
    "Softsign": unary("Softsign"),
    "Sqrt": unary("Sqrt"),
    "Sub": binary("Sub"),
    "Tan": unary("Tan"),
    "Tanh": unary("Tanh"),
    "Where": where,
    "Xor": binary("NotEqual"),
}

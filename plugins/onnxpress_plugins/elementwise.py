"""The operators that work number by number, on operands that broadcasting makes equal in shape."""

from __future__ import annotations

import onnx_ir as ir

UNARY = (
    *("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Mish"),
    *("Gelu", "Tanh", "Softplus", "Softsign", "Erf", "Identity", "Cast", "Not", "IsNaN", "IsInf", "BitwiseNot"),
    *("Neg", "Abs", "Sign", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sin", "Cos"),
)
"""One operand."""

BROADCASTING = (
    *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Mean", "Sum", "Where", "BitShift"),
    *("And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"),
    *("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
)
"""Several operands, every one of which may be broadcast."""

ONE_SIDED = ("PRelu", "Clip")
"""Several operands, of which the first has the shape of the result."""


def is_elementwise(node: ir.Node) -> bool:
    """Whether `node` works number by number and may broadcast any of its operands."""
    return node.domain == "" and node.op_type in (*UNARY, *BROADCASTING)

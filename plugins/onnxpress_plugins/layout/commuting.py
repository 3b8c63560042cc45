"""Operators that commute with a Transpose: the same node can be written for data whose axes have another order.

| operators                                                      | what follows the order                             |
|----------------------------------------------------------------|----------------------------------------------------|
| one number at a time (Add, Relu, Where, Cast, Clip ...)        | every operand, as broadcasting aligns it           |
| Concat, Split, ArgMax, ArgMin, Gather (indices of rank 1),     | ``axis``                                           |
| TopK, CumSum, LpNormalization                                  |                                                    |
| Softmax, LogSoftmax, Hardmax                                   | ``axis``, which must not cease to be the last: it  |
|                                                                | is transposed inside the kernel then               |
| LayerNormalization, RMSNormalization                           | nothing: the normalised axes stay where they are   |
| ReduceMean, ReduceMax, ReduceSum ...                           | ``axes``; what is left keeps its new order         |
| QuantizeLinear, DequantizeLinear                               | ``axis`` of the scales                             |
| Pad, Tile, Expand, Slice                                       | the numbers for each axis, or the axes named       |
| Resize                                                         | the same; beyond nearest neighbours only where the |
|                                                                | two leading sizes stay, as onnxruntime asks        |
| Reshape that joins or splits neighbours (`regrouping`)         | the shape; neighbours stay together                |
| Shape                                                          | its result: a Gather takes the sizes as they were  |

Everything else (convolutions and poolings, matrices, other Reshapes and domains) takes and gives the order it has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import onnx_ir as ir

from onnxpress_plugins.layout import forms
from onnxpress_plugins.layout.arrangement import Order
from onnxpress_plugins.layout.forms import Form
from onnxpress_plugins.layout.regrouping import regrouping


def form(node: ir.Node, order: Order | None) -> Form | None:
    """`node` for data arranged by `order`, None when there is no such form; as it is where `order` is None."""
    if order is None:
        return Form(inputs=forms.as_they_are(node.inputs), outputs=forms.as_they_are(node.outputs))
    rule = _RULES.get(node.op_type) if node.domain == "" else None
    known = all(value is None or value.shape is not None for value in (*node.inputs, *node.outputs))
    return rule(node, order) if rule is not None and known else None


_Rule: TypeAlias = Callable[[ir.Node, Order], Form | None]

_ELEMENTWISE = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan", "Tanh", "Erf"),
    *("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Sum", "Mean", "Max", "Min", "Exp", "Log", "Sqrt", "Reciprocal", "Neg"),
    *("Ceil", "Floor", "Round", "Sign", "Clip", "Cast", "Identity", "Dropout", "IsInf", "IsNaN", "Where", "PRelu"),
    *("And", "Or", "Xor", "Not", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"),
    *("Relu", "LeakyRelu", "ThresholdedRelu", "Elu", "Celu", "Selu", "Gelu", "Mish", "Swish", "HardSwish", "Sigmoid"),
    *("HardSigmoid", "Softplus", "Softsign", "Shrink"),
)

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE, forms.elementwise),
    **dict.fromkeys((f"Reduce{kind}" for kind in _REDUCTIONS), forms.reducing),
    **dict.fromkeys(("Split", "ArgMax", "ArgMin", "Gather"), forms.along),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "TopK", "LpNormalization"), partial(forms.along, default=-1)),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), forms.normalizing),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), forms.quantizing),
    "Concat": forms.joining,
    "CumSum": forms.cumulating,
    "Pad": partial(forms.per_axis, naming_axes=3),
    "Tile": forms.per_axis,
    "Expand": forms.expanding,
    "Slice": forms.slicing,
    "Resize": forms.resizing,
    "Reshape": regrouping,
    "Shape": forms.measuring,
}

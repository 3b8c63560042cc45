"""Arithmetic, comparisons and activations, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import (
    ACTIVATIONS,
    Call,
    Handler,
    Operators,
    clipped,
    direct,
    function,
)


def _fused(path: str) -> Handler:
    return lambda call: call.activated(function(path)(*call.operands))


def _alone(activate: Callable[[Any], Any]) -> Handler:
    return lambda call: activate(call.operands[0])


def _divided(call: Call) -> Any:
    """Quotients of integers are truncated."""
    path = "truediv" if call.dtype.startswith("float") else "truncatediv"
    return call.activated(function(path)(*call.operands))


def _cast(call: Call) -> Any:
    if any(tensor is not None and tensor.grid is not None for tensor in (*call.inputs, *call.outputs)):
        raise call.refused("it takes quantised integers for plain ones")
    return import_tensorflow().cast(call.operands[0], call.dtype)


def _select(call: Call) -> Any:
    """A condition with one axis chooses among whole rows."""
    tf = import_tensorflow()
    condition, chosen, other = map(tf.convert_to_tensor, call.operands)
    if condition.shape.rank == 1 and chosen.shape.rank not in (None, 1):
        condition = tf.reshape(condition, [-1, *[1] * (chosen.shape.rank - 1)])
    return tf.where(condition, chosen, other)


def _parametric(call: Call) -> Any:
    tf = import_tensorflow()
    value, slope = call.operands
    return tf.nn.relu(value) - slope * tf.nn.relu(-value)


def _swish(call: Call) -> Any:
    value = call.operands[0]
    return value * function("nn.relu6")(value + np.float32(3)) * np.float32(1 / 6)


def _softmax(call: Call) -> Any:
    beta = np.float32(call.option("beta", 1.0))
    return function("nn.softmax")(call.operands[0] if beta == 1 else call.operands[0] * beta)


OPERATORS: Operators = {
    **{name: _alone(activate) for name, activate in ACTIVATIONS.items()},
    "ABS": direct("abs"),
    "ADD": _fused("add"),
    "ADD_N": lambda call: function("add_n")(list(call.operands)),
    "CAST": _cast,
    "CEIL": direct("math.ceil"),
    "COS": direct("cos"),
    "DIV": _divided,
    "ELU": direct("nn.elu"),
    "EQUAL": direct("equal"),
    "EXP": direct("exp"),
    "FLOOR": direct("floor"),
    "FLOOR_DIV": direct("math.floordiv"),
    "FLOOR_MOD": direct("math.floormod"),
    "GELU": lambda call: function("nn.gelu")(call.operands[0], approximate=bool(call.option("approximate"))),
    "GREATER": direct("greater"),
    "GREATER_EQUAL": direct("greater_equal"),
    "HARD_SWISH": _swish,
    "L2_NORMALIZATION": lambda call: call.activated(function("math.l2_normalize")(call.operands[0], axis=-1)),
    "LEAKY_RELU": lambda call: function("nn.leaky_relu")(call.operands[0], alpha=call.option("alpha")),
    "LESS": direct("less"),
    "LESS_EQUAL": direct("less_equal"),
    "LOG": direct("math.log"),
    "LOGICAL_AND": direct("logical_and"),
    "LOGICAL_NOT": direct("logical_not"),
    "LOGICAL_OR": direct("logical_or"),
    "LOGISTIC": direct("sigmoid"),
    "LOG_SOFTMAX": direct("nn.log_softmax"),
    "MAXIMUM": direct("maximum"),
    "MINIMUM": direct("minimum"),
    "MUL": _fused("multiply"),
    "NEG": direct("negative"),
    "NOT_EQUAL": direct("not_equal"),
    "POW": direct("pow"),
    "PRELU": _parametric,
    "RELU_0_TO_1": _alone(clipped(0.0, 1.0)),
    "ROUND": direct("round"),
    "RSQRT": direct("math.rsqrt"),
    "SELECT": _select,
    "SELECT_V2": direct("where"),
    "SIGN": direct("sign"),
    "SIN": direct("sin"),
    "SOFTMAX": _softmax,
    "SQRT": direct("sqrt"),
    "SQUARE": direct("square"),
    "SQUARED_DIFFERENCE": direct("math.squared_difference"),
    "SUB": _fused("subtract"),
    "ZEROS_LIKE": direct("zeros_like"),
}
"""The format's name to how TensorFlow computes it."""

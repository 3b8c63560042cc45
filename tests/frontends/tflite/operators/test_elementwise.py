from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

SHAPE = (2, 6)

ONE: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("ABS", lambda tf, x: tf.abs(x)),
    ("CAST", lambda tf, x: tf.cast(tf.cast(x * 3, tf.int32), tf.float32)),
    ("CEIL", lambda tf, x: tf.math.ceil(x)),
    ("COS", lambda tf, x: tf.cos(x)),
    ("DIV", lambda tf, x: tf.cast(tf.raw_ops.Div(x=tf.cast(x * 9, tf.int32), y=2), tf.float32)),
    ("ELU", lambda tf, x: tf.nn.elu(x)),
    ("EQUAL", lambda tf, x: tf.equal(tf.round(x), 1.0)),
    ("EXP", lambda tf, x: tf.exp(x)),
    ("FLOOR", lambda tf, x: tf.floor(x)),
    ("FLOOR_DIV", lambda tf, x: tf.cast(tf.cast(x * 9, tf.int32) // 2, tf.float32)),
    ("FLOOR_MOD", lambda tf, x: tf.cast(tf.cast(x * 9, tf.int32) % 4, tf.float32)),
    ("GELU", lambda tf, x: tf.nn.gelu(x)),
    ("GELU", lambda tf, x: tf.nn.gelu(x, approximate=True)),
    ("HARD_SWISH", lambda tf, x: x * tf.nn.relu6(x + 3) * (1 / 6)),
    ("L2_NORMALIZATION", lambda tf, x: tf.nn.l2_normalize(x, -1)),
    ("LEAKY_RELU", lambda tf, x: tf.nn.leaky_relu(x, 0.3)),
    ("LOG", lambda tf, x: tf.math.log(tf.abs(x) + 0.1)),
    ("LOGICAL_NOT", lambda tf, x: tf.logical_not(tf.logical_or(tf.logical_and(x > -1, x < 1), x > 1.5))),
    ("LOGISTIC", lambda tf, x: tf.sigmoid(x)),
    ("LOG_SOFTMAX", lambda tf, x: tf.nn.log_softmax(x)),
    ("NEG", lambda tf, x: tf.negative(x)),
    ("NOT_EQUAL", lambda tf, x: tf.not_equal(tf.round(x), 1.0)),
    ("RELU", lambda tf, x: tf.nn.relu(x)),
    ("RELU6", lambda tf, x: tf.nn.relu6(x)),
    ("RELU_N1_TO_1", lambda tf, x: tf.maximum(-1.0, tf.minimum(x, 1.0))),
    ("RELU_0_TO_1", lambda tf, x: tf.maximum(0.0, tf.minimum(x, 1.0))),
    ("ROUND", lambda tf, x: tf.round(x * 3)),
    ("RSQRT", lambda tf, x: tf.math.rsqrt(tf.abs(x) + 0.1)),
    ("SIGN", lambda tf, x: tf.sign(x)),
    ("SIN", lambda tf, x: tf.sin(x)),
    ("SOFTMAX", lambda tf, x: tf.nn.softmax(x)),
    ("SQRT", lambda tf, x: tf.sqrt(tf.abs(x))),
    ("SQUARE", lambda tf, x: tf.square(x)),
    ("TANH", lambda tf, x: tf.tanh(x)),
]

TWO: list[tuple[str, Callable[[Any, Any, Any], Any]]] = [
    ("ADD", lambda tf, x, y: tf.nn.relu(x + y)),
    ("DIV", lambda tf, x, y: x / (tf.abs(y) + 1)),
    ("FLOOR_DIV", lambda tf, x, y: x // (tf.abs(y) + 0.5)),
    ("FLOOR_MOD", lambda tf, x, y: x % (tf.abs(y) + 0.5)),
    ("GREATER", lambda tf, x, y: x > y),
    ("GREATER_EQUAL", lambda tf, x, y: x >= y),
    ("LESS", lambda tf, x, y: x < y),
    ("LESS_EQUAL", lambda tf, x, y: x <= y),
    ("MAXIMUM", lambda tf, x, y: tf.maximum(x, y)),
    ("MINIMUM", lambda tf, x, y: tf.minimum(x, y)),
    ("MUL", lambda tf, x, y: tf.nn.relu6(9 * x * y)),
    ("POW", lambda tf, x, y: tf.pow(tf.abs(x) + 0.1, y)),
    ("SELECT", lambda tf, x, y: tf.compat.v1.where(tf.constant([True, False]), x, y)),
    ("SELECT_V2", lambda tf, x, y: tf.where(x[:, :1] > 0, x, y)),
    ("SQUARED_DIFFERENCE", lambda tf, x, y: tf.math.squared_difference(x, y)),
    ("SUB", lambda tf, x, y: x - y),
]


@pytest.mark.parametrize(("code", "function"), ONE)
def test_one_operand(tf: Any, check: Any, code: str, function: Any) -> None:
    check(code, lambda x: function(tf, x), SHAPE)


@pytest.mark.parametrize(("code", "function"), TWO)
def test_two_operands(tf: Any, check: Any, code: str, function: Any) -> None:
    check(code, lambda x, y: function(tf, x, y), SHAPE, SHAPE)


def test_the_sum_of_many(tf: Any, check: Any) -> None:
    check("ADD_N", lambda x, y, z: tf.add_n([x, y, z]), SHAPE, SHAPE, SHAPE)


def test_fused_activations(tf: Any, check: Any) -> None:
    """Among them two that tf2onnx's own reader of TFLite refuses or leaves out."""
    check("ADD", lambda x, y: tf.maximum(-1.0, tf.minimum(x + y, 1.0)), SHAPE, SHAPE)
    check("SUB", lambda x, y: tf.nn.relu6(9 * (x - y)), SHAPE, SHAPE)


@pytest.mark.parametrize("code", ["ABS", "ADD", "LOGISTIC", "MAXIMUM", "SOFTMAX", "SUB", "TANH"])
def test_integers_are_the_same(tf: Any, check: Any, code: str) -> None:
    pairs = {code: (function, 1) for code, function in ONE} | {code: (function, 2) for code, function in TWO}
    function, count = pairs[code]
    names = (lambda x: function(tf, x), lambda x, y: function(tf, x, y))
    check(code, names[count - 1], *[SHAPE] * count, kind="int8", steps=0)


@pytest.mark.parametrize("code", ["LEAKY_RELU", "RSQRT", "SQRT"])
def test_integers_are_at_most_one_step_off_where_kernels_approximate(tf: Any, check: Any, code: str) -> None:
    """The interpreter's kernels multiply by a fraction of 31 bits, and truncate."""
    function = dict(ONE)[code]
    check(code, lambda x: function(tf, x), SHAPE, kind="int8", steps=1, share=0.8)


def test_integers_are_at_most_one_step_off_at_ties(check: Any) -> None:
    check("MUL", lambda x, y: x * y, SHAPE, SHAPE, kind="int8", steps=1, share=0.1)


def test_a_slope_by_channel(tf: Any, keras: Any, write: Any, agree: Any) -> None:
    image = keras.Input((4, 4, 3), batch_size=1)
    layer = keras.layers.PReLU(shared_axes=(1, 2))
    model = keras.Model(image, layer(image))
    layer.alpha.assign(np.array([[[0.1, 0.5, -0.3]]]))
    path = write(model)
    agree(path)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

IMAGE = (1, 8, 8, 4)


def weights(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


CASES: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("CONV_2D", lambda tf, x: tf.nn.relu6(tf.nn.conv2d(x, weights(3, 3, 4, 6), 2, "SAME") + weights(6)), [IMAGE]),
    ("CONV_2D", lambda tf, x: tf.nn.conv2d(x, weights(3, 3, 4, 6), 1, "VALID", dilations=2), [IMAGE]),
    ("CONV_2D", lambda tf, x: tf.nn.conv2d(x, weights(3, 3, 2, 6), 1, "SAME"), [IMAGE]),
    ("DEPTHWISE_CONV_2D", lambda tf, x: _depthwise(tf, x, weights(3, 3, 4, 1), "SAME") + weights(4), [IMAGE]),
    ("DEPTHWISE_CONV_2D", lambda tf, x: _depthwise(tf, x, weights(3, 3, 4, 2), "VALID") + weights(8), [IMAGE]),
    ("DEPTHWISE_CONV_2D", lambda tf, x: _depthwise(tf, x, weights(3, 3, 1, 5), "SAME") + weights(5), [(1, 8, 8, 1)]),
    ("DEPTHWISE_CONV_2D", lambda tf, x: _depthwise(tf, x, weights(3, 3, 4, 1), "SAME", dilations=[2, 2]), [IMAGE]),
    ("TRANSPOSE_CONV", lambda tf, x: _transposed(tf, x, 16, "SAME") + weights(6), [IMAGE]),
    ("TRANSPOSE_CONV", lambda tf, x: _transposed(tf, x, 17, "VALID"), [IMAGE]),
    ("FULLY_CONNECTED", lambda tf, x: tf.nn.relu(x @ weights(6, 5) + weights(5)), [(2, 6)]),
    ("FULLY_CONNECTED", lambda tf, x: tf.tensordot(x, weights(6, 5), 1) + weights(5), [(1, 3, 6)]),
    ("BATCH_MATMUL", lambda tf, x, y: tf.matmul(x, y, transpose_b=True), [(1, 2, 3, 4), (1, 2, 5, 4)]),
    ("BATCH_MATMUL", lambda tf, x, y: tf.matmul(x, y, transpose_a=True), [(2, 4, 3), (2, 4, 5)]),
]


def _depthwise(tf: Any, x: Any, kernel: Any, padding: str, dilations: Any = None) -> Any:
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], padding, dilations=dilations)


def _transposed(tf: Any, x: Any, size: int, padding: str) -> Any:
    return tf.nn.conv2d_transpose(x, weights(3, 3, 6, 4), [1, size, size, 6], 2, padding)


@pytest.mark.parametrize(("code", "function", "shapes"), CASES)
def test_float(tf: Any, check: Any, code: str, function: Any, shapes: Any) -> None:
    check(code, _bound(tf, function, len(shapes)), *shapes)


@pytest.mark.parametrize(("code", "function", "shapes"), CASES)
def test_integers_are_at_most_one_step_off(tf: Any, check: Any, code: str, function: Any, shapes: Any) -> None:
    """And that for few: the interpreter rounds twice, to a fraction of 31 bits and to the result."""
    check(code, _bound(tf, function, len(shapes)), *shapes, kind="int8", steps=1, share=0.02)


@pytest.mark.long
@pytest.mark.parametrize(("code", "function", "shapes"), CASES)
def test_integers_of_16_bits_are_at_most_one_step_off(
    tf: Any, check: Any, code: str, function: Any, shapes: Any
) -> None:
    check(code, _bound(tf, function, len(shapes)), *shapes, kind="int16", steps=1, share=0.15)


def test_three_dimensions(tf: Any, check: Any) -> None:
    kernel = weights(2, 2, 2, 3, 4)
    check("CONV_3D", lambda x: tf.nn.conv3d(x, kernel, [1] * 5, "SAME") + weights(4), (1, 4, 4, 4, 3))


def _bound(tf: Any, function: Any, count: int) -> Any:
    return (lambda x: function(tf, x)) if count == 1 else (lambda x, y: function(tf, x, y))

"""Loops and branches of TensorFlow 2, nested, with captured variables, and called more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Agree = Callable[..., Any]


@pytest.fixture(scope="module")
def weight(tf: Any) -> Any:
    return tf.Variable(tf.reshape(tf.linspace(-0.7, 0.9, 9), (3, 3)))


def operators(model: Any) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.all_nodes())


def test_loops_with_captured_variables(tf: Any, agree: Agree, weight: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def function(x: Any) -> Any:
        def step(i: Any, a: Any) -> Any:
            inner = tf.while_loop(lambda j, _: j < i, lambda j, b: (j + 1, tf.tanh(b @ weight)), (0, a))[1]
            return i + 1, tf.cond(tf.reduce_sum(a) > 0, lambda: inner @ weight, lambda: a - tf.cast(i, tf.float32))

        count, halved = tf.while_loop(
            lambda i, a: tf.reduce_sum(tf.abs(a)) > 0.1, lambda i, a: (i + 1, a * 0.5), (0, x)
        )
        doubling = tf.while_loop(
            lambda a: tf.reduce_sum(tf.abs(a)) < 1e3,
            lambda a: (tf.concat([a, a], 0),),
            (x,),
            (tf.TensorShape((None, 3)),),
        )[0]
        return {
            "nested": tf.while_loop(lambda i, _: i < 3, step, (0, x))[1],
            "halved": halved,
            "count": tf.cast(count, tf.float32),
            "at_most": tf.while_loop(lambda a: True, lambda a: (tf.tanh(a @ weight),), (x,), maximum_iterations=4)[0],
            "doubling": doubling,
        }

    assert operators(agree(function))["Loop"] == 5


def test_a_shape_that_each_step_changes_is_no_constant(tf: Any, agree: Agree) -> None:
    @tf.function(input_signature=[tf.TensorSpec((2, 3), name="x")])
    def function(x: Any) -> Any:
        body = lambda i, a: (i + 1, tf.concat([a, tf.fill(tf.shape(a), tf.reduce_sum(a))], 0))  # noqa: E731
        shapes = (tf.TensorShape(()), tf.TensorShape((None, 3)))
        return tf.while_loop(lambda i, _: i < 3, body, (0, x), shapes)[1]

    agree(function)


@pytest.mark.parametrize("choice", [-1, 0, 1, 2, 7])
def test_cases_become_nested_ifs(tf: Any, agree: Agree, weight: Any, choice: int) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def function(x: Any) -> Any:
        index = tf.cast(tf.reduce_sum(x) * 0, tf.int32) + choice
        return tf.switch_case(index, [lambda: x @ weight, lambda: x * 2.0, lambda: x - 1.0])

    assert operators(agree(function))["If"] == 2


def test_a_function_with_a_loop_is_called_twice(tf: Any, agree: Agree, weight: Any) -> None:
    @tf.function
    def powers(x: Any, start: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, tf.tanh(a @ weight)), (start, x))[1]

    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])
    def function(x: Any) -> Any:
        return powers(powers(x, tf.constant(0)) + 1.0, tf.constant(1))

    assert operators(agree(function))["Loop"] == 2


def test_loops_written_in_python(tf: Any, agree: Agree) -> None:
    def function(x: Any) -> Any:
        y = x
        for _ in tf.range(10):
            if tf.reduce_sum(y) > 20.0:
                break
            y = y * 0.5 if tf.reduce_sum(y) > 15.0 else y + 1.0
        while tf.reduce_sum(y) > 0.0:
            y -= 0.3
        return y

    agree(tf.function(tf.autograph.to_graph(function), input_signature=[tf.TensorSpec((4, 3), name="x")]))


def test_a_function_that_has_another_implementation_is_inlined(tf: Any, agree: Agree, weight: Any) -> None:
    """Keras 2 marks its LSTM and GRU like this, for cuDNN's to take their place."""

    @tf.function(experimental_attributes={"api_implements": "lstm_1", "api_preferred_device": "CPU"})
    def layer(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, tf.tanh(a @ weight)), (0, x))[1]

    function = tf.function(lambda x: layer(x) + 1.0, input_signature=[tf.TensorSpec((None, 3), name="x")])
    assert operators(agree(function))["Loop"] == 1

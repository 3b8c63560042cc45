from __future__ import annotations

from typing import Any

import numpy as np


def test_a_loop(tf: Any, check: Any, agree: Any) -> None:
    def function(x: Any) -> Any:
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 1.5 + 1), (0, x))[1]

    path = check("WHILE", function, (1, 4))
    assert "Loop" in [node.op_type for node in agree(path).graph]


def test_a_branch(tf: Any, check: Any, agree: Any) -> None:
    path = check("IF", lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1), (1, 4))
    assert "If" in [node.op_type for node in agree(path).graph]


def test_a_loop_with_big_weights_inside(tf: Any, check: Any, agree: Any) -> None:
    kernel = np.random.default_rng(0).uniform(-0.1, 0.1, (70, 70)).astype(np.float32)

    def function(x: Any) -> Any:
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.tanh(x @ kernel)), (0, x))[1]

    agree(check("WHILE", function, (2, 70)))
    check("WHILE", function, (2, 70), kind="dynamic", rtol=0.02)


def test_a_recurrent_layer(keras: Any, write: Any, agree: Any) -> None:
    """Keras writes it as a loop over lists of tensors, which the converter lowers."""
    keras.utils.set_random_seed(0)
    steps = keras.Input((6, 8), batch_size=1, name="steps")
    agree(write(keras.Model(steps, keras.layers.LSTM(5)(steps))))


def test_an_unrolled_recurrent_layer(keras: Any, write: Any, agree: Any) -> None:
    keras.utils.set_random_seed(0)
    steps = keras.Input((4, 8), name="steps")
    agree(write(keras.Model(steps, keras.layers.GRU(5, unroll=True)(steps))))

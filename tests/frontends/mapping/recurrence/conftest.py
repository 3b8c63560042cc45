"""Loops by hand that are an LSTM, or nearly one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


class HandMade:
    """An LSTM of two units in a loop over time, batch, features; each method is one thing that can be otherwise."""

    def __init__(self, tf: Any) -> None:
        generator = np.random.default_rng(0)
        self.tf = tf
        self.kernel = tf.constant(generator.uniform(-1, 1, (3, 8)).astype("float32"))
        self.recurrent = tf.constant(generator.uniform(-1, 1, (2, 8)).astype("float32"))
        self.peephole = tf.constant(generator.uniform(-1, 1, (2,)).astype("float32"))

    def run(
        self,
        x: Any,
        *,
        step: Callable[[Any, Any, Any], tuple[Any, Any]] | None = None,
        row: Callable[[Any, Any], Any] = lambda time, steps: time,
        goes_on: Callable[..., Any] = lambda time, steps, h: time < steps,
    ) -> Any:
        """All h and the last c; `step` takes a row, h and c, and gives the next h and c."""
        tf, steps = self.tf, self.tf.shape(x)[0]
        rows = tf.TensorArray(tf.float32, steps, clear_after_read=False).unstack(x)
        outputs = tf.TensorArray(tf.float32, steps, element_shape=(4, 2))

        def body(time: Any, outputs: Any, h: Any, c: Any) -> Any:
            h, c = (step or self.lstm)(rows.read(row(time, steps)), h, c)
            return time + 1, outputs.write(time, h), h, c

        start = (0, outputs, tf.zeros((4, 2)), tf.zeros((4, 2)))
        final = tf.while_loop(lambda time, _, h, c: goes_on(time, steps, h), body, start)
        return tf.concat([final[1].stack(), final[3][None]], 0)

    def lstm(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        tf = self.tf
        enter, forget, new, out = tf.split(x @ self.kernel + h @ self.recurrent, 4, axis=1)
        c = tf.sigmoid(forget) * c + tf.sigmoid(enter) * tf.tanh(new)
        return tf.sigmoid(out) * tf.tanh(c), c

    def leaking(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        new, c = self.lstm(x, h, c)
        return 0.9 * new + 0.1 * h, c

    def clipped(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        return self.lstm(x, h, self.tf.clip_by_value(c, -0.1, 0.1))

    def peeping(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        tf = self.tf
        enter, forget, new, out = tf.split(x @ self.kernel + h @ self.recurrent, 4, axis=1)
        c = tf.sigmoid(forget + self.peephole * c) * c + tf.sigmoid(enter) * tf.tanh(new)
        return tf.sigmoid(out) * tf.tanh(c), c

    def mixed_gates(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        tf = self.tf
        enter, forget, new, out = tf.split(x @ self.kernel + h @ self.recurrent, 4, axis=1)
        c = tf.sigmoid(forget) * c + tf.nn.relu(enter) * tf.tanh(new)
        return tf.sigmoid(out) * tf.tanh(c), c

    def normalised(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        new, c = self.lstm(x, h - self.tf.reduce_mean(h, 1, keepdims=True), c)
        return new, c


@pytest.fixture(scope="session")
def by_hand(tf: Any) -> HandMade:
    return HandMade(tf)

"""Loops and branches: graphs of the file that others call."""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.operators.calling import Call, Operators

CALLED = {
    "IF": ("thenSubgraphIndex", "elseSubgraphIndex"),
    "WHILE": ("condSubgraphIndex", "bodySubgraphIndex"),
}
"""The options that name graphs."""


def _looped(call: Call) -> Any:
    tf = import_tensorflow()
    condition, step = (call.graph(call.option(name)) for name in CALLED["WHILE"])
    start = [tf.convert_to_tensor(value) for value in call.operands]
    return tf.while_loop(lambda *state: tf.reshape(condition(*state)[0], ()), lambda *state: step(*state), start)


def _branched(call: Call) -> Any:
    tf = import_tensorflow()
    chosen, other = (call.graph(call.option(name)) for name in CALLED["IF"])
    operands = call.operands[1:]
    return tf.cond(tf.reshape(call.operands[0], ()), lambda: chosen(*operands), lambda: other(*operands))


OPERATORS: Operators = {
    "IF": _branched,
    "WHILE": _looped,
}
"""The format's name to how TensorFlow computes it."""

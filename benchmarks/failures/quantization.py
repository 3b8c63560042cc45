"""Quantisation that a TensorFlow graph simulates or stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from failures.case import Case, Sample, of_function, of_graph, values
from failures.judging import number_of, stored_integers

KERNEL = values(3, 3, 3, 8, seed=1)


def _computed(quantise: Callable[[Any, Any], Any]) -> Callable[[Path], Sample]:
    """`quantise` applied to what a layer computes."""

    def make(_: Path) -> Sample:
        import tensorflow as tf

        return of_function(lambda x: tf.nn.relu(quantise(tf, tf.nn.conv2d(x, KERNEL, 1, "SAME"))), values(2, 8, 8, 3))

    return make


def _kernel(quantise: Callable[[Any, Any], Any]) -> Callable[[Path], Sample]:
    """`quantise` applied to the kernel of a layer."""

    def make(_: Path) -> Sample:
        import tensorflow as tf

        kernel = tf.Variable(KERNEL)
        return of_function(lambda x: tf.nn.conv2d(x, quantise(tf, kernel), 1, "SAME"), values(2, 8, 8, 3))

    return make


def _stored(folder: Path) -> Sample:
    """The kernel as TensorFlow's ``quantize_weights`` stores it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    steps = np.round((KERNEL - KERNEL.min()) * 255 / np.ptp(KERNEL)).astype(np.uint8)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        kernel = tf.raw_ops.Dequantize(
            input=tf.bitcast(tf.constant(steps), tf.quint8),
            min_range=float(KERNEL.min()),
            max_range=float(KERNEL.max()),
            mode="MIN_FIRST",
        )
        y = tf.nn.conv2d(x, kernel, 1, "SAME", name="y")
        feed = values(2, 8, 8, 3)
        return of_graph(folder, graph.as_graph_def(), feed, session.run(y, {x: feed}))


def _pairs(name: str, quantise: Callable[[Any, Any], Any]) -> Case:
    return Case(
        name=name,
        make=_computed(quantise),
        counted="QuantizeLinear",
        count=number_of("QuantizeLinear"),
        wanted=1,
    )


def _integers(name: str, make: Callable[[Path], Sample]) -> Case:
    return Case(name=name, make=make, counted="weights stored as integers", count=stored_integers, wanted=1)


def _per_channel(tf: Any, x: Any) -> Any:
    low = -np.linspace(0.5, 1.0, 8, dtype=np.float32)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(x, low, -low)


CASES = (
    _pairs("FakeQuant", lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -2.0, 2.1)),
    _pairs(
        "FakeQuant, narrow_range",
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -2.0, 2.1, narrow_range=True),
    ),
    _pairs(
        "FakeQuant, num_bits=4", lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -2.0, 2.1, num_bits=4)
    ),
    _pairs("FakeQuant per channel", _per_channel),
    _pairs(
        "QuantizeAndDequantizeV4, range given",
        lambda tf, x: tf.quantization.quantize_and_dequantize_v2(x, -2.0, 2.0, range_given=True),
    ),
    Case(
        name="QuantizeAndDequantizeV4, range of the data",
        make=_computed(lambda tf, x: tf.quantization.quantize_and_dequantize_v2(x, 0.0, 0.0, range_given=False)),
    ),
    _integers(
        "FakeQuant on a kernel", _kernel(lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 1.0))
    ),
    _integers("FakeQuant per channel on a kernel", _kernel(_per_channel)),
    _integers("Dequantize of quantize_weights (MIN_FIRST)", _stored),
)

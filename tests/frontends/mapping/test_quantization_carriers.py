from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load

Agree = Callable[..., Any]
Cases = dict[str, tuple[Callable[[Any, Any], Any], str]]

CASES: Cases = {
    "range of the data": (
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, tf.reduce_min(x), 1.0),
        "FakeQuantWithMinMaxVars '.*' cannot be converted: its range is computed when the model runs; "
        "correct it, or export the model without it",
    ),
    "empty range": (
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, 2.0, 1.0),
        "FakeQuantWithMinMaxVars '.*' cannot be converted: its range is 2.0 to 1.0; "
        "correct it, or export the model without it",
    ),
    "float64": (
        lambda tf, x: tf.cast(tf.quantization.quantize_and_dequantize_v2(tf.cast(x, tf.float64), -1, 1), tf.float32),
        "QuantizeAndDequantizeV4 '.*' cannot be converted: it quantises other numbers than float32; .*",
    ),
    "bits": (
        lambda tf, x: tf.quantization.quantize_and_dequantize_v2(x, -1, 1, num_bits=20, range_given=True),
        "QuantizeAndDequantizeV4 '.*' cannot be converted: ONNX cannot quantise to 20 bits; .*",
    ),
    "sign": (
        lambda tf, x: (
            x
            + tf.quantization.quantize_and_dequantize_v2(
                tf.constant([-1.0, 0, 3]), 0, 0, signed_input=False, range_given=False
            )
        ),
        "QuantizeAndDequantizeV4 '.*' cannot be converted: its data are negative, and its integers are not; .*",
    ),
    "range of a loop": (
        lambda tf, x: tf.while_loop(
            lambda i, y: i < 3,
            lambda i, y: (i + 1, tf.quantization.fake_quant_with_min_max_vars(y, tf.reduce_min(x), 1.0)),
            [0, x],
        )[1],
        "FakeQuantWithMinMaxVars '.*' cannot be converted: its range is computed when the model runs; .*",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_grid_is_refused(case: str, tf: Any) -> None:
    build, sentence = CASES[case]
    function = tf.function(lambda x: build(tf, x), input_signature=[tf.TensorSpec((None, 3), name="x")])
    with pytest.raises(UnsupportedModel) as refusal:
        load(function)
    assert re.fullmatch(sentence, str(refusal.value))


def test_what_tensorflow_itself_rejects_is_refused_with_its_reason(tf: Any) -> None:
    ends = {"input_min": np.zeros(2, np.float32), "input_max": np.ones(2, np.float32)}
    weight = np.ones((3, 2), np.float32)
    function = tf.function(
        lambda x: x @ tf.raw_ops.QuantizeAndDequantizeV4(input=weight, **ends, range_given=True, axis=1),
        input_signature=[tf.TensorSpec((None, 3), name="x")],
    )
    with pytest.raises(
        UnsupportedModel, match="TensorFlow cannot compute 'QuantizeAndDequantizeV4': input_min must be"
    ):
        load(function)


def by_channel(tf: Any) -> Any:
    """A constant matrix, 3 x 4, rounded to a grid for each column."""
    weight = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    ends = np.abs(weight).max(0)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(weight, -ends, ends, narrow_range=True)


def test_a_call_that_is_nearly_the_whole_graph_is_dissolved(tf: Any) -> None:
    called = tf.function(lambda x: x @ by_channel(tf), autograph=False)
    function = tf.function(lambda x: called(x), input_signature=[tf.TensorSpec((None, 3), name="x")], autograph=False)
    assert [node.op_type for node in load(function).graph] == ["DequantizeLinear", "MatMul"]


@pytest.mark.parametrize("where", ["loop", "branch"])
def test_constants_of_a_loop_or_branch_become_what_they_are_rounded_to(tf: Any, agree: Agree, where: str) -> None:
    def called(x: Any) -> Any:
        if where == "branch":
            return x @ tf.cond(tf.reduce_sum(x) < 1e9, lambda: by_channel(tf), lambda: tf.zeros((3, 4)))
        return tf.while_loop(
            lambda i, y: i < 3, lambda i, y: (i + 1, y + x @ by_channel(tf)), [0, x @ tf.ones((3, 4))]
        )[1]

    model = agree(tf.function(called, input_signature=[tf.TensorSpec((None, 3), name="x")], autograph=False))
    assert {"loop": "Loop", "branch": "If"}[where] in {node.op_type for node in model.graph}

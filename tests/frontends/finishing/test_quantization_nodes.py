from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

Check = Callable[..., ir.Model]


@pytest.fixture(scope="module")
def agree(tf: Any) -> Check:
    """Convert a function of one tensor, and assert that both give the same numbers but for ties, a step apart."""

    def check(function: Callable[[Any], Any], *shape: int, step: float, ties: float = 0.0) -> ir.Model:
        traced = tf.function(function, input_signature=[tf.TensorSpec((None, *shape), name="x")])
        model = load(traced)
        x = (np.random.default_rng(0).standard_normal((9, *shape)) * 2).astype(np.float32)
        (actual,) = Session(model).run({"x": x}).values()
        difference = np.abs(actual - traced(tf.constant(x)).numpy())
        assert difference.max() <= 1.001 * step
        assert np.mean(difference > 1e-3 * step) <= ties
        return model

    return check


def ops(graph: ir.Graph) -> list[str]:
    return [node.op_type for node in graph]


def types(model: ir.Model) -> set[str]:
    tensors = [value.const_value for value in model.graph.initializers.values() if value.const_value is not None]
    return {tensor.dtype.name for tensor in tensors} - {"FLOAT"}


@pytest.mark.parametrize("bits", [2, 4, 8, 12, 16])
@pytest.mark.parametrize("narrow", [False, True])
def test_fake_quantisation_of_a_computed_tensor_is_a_pair(agree: Check, tf: Any, bits: int, narrow: bool) -> None:
    step = 3.4 / (2**bits - 1 - narrow)
    model = agree(
        lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -1.1, 2.3, bits, narrow), 40, step=step, ties=0.01
    )
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert ops(model.graph) == (pair if bits in (8, 16) and not narrow else ["Clip", *pair])
    assert types(model) == {"UINT8" if bits <= 8 else "UINT16"}
    assert model.opset_imports[""] == (17 if bits <= 8 else 21)


def test_the_range_may_be_attributes(agree: Check, tf: Any) -> None:
    model = agree(lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1.1, 2.3, 8, False), 40, step=3.4 / 255)
    assert ops(model.graph) == ["QuantizeLinear", "DequantizeLinear"]


def test_a_range_of_zero_alone_gives_zeros(agree: Check, tf: Any) -> None:
    agree(lambda x: tf.quantization.fake_quant_with_min_max_vars(x, 0.0, 0.0), 40, step=0)


@pytest.mark.parametrize(
    ("options", "expected", "dtype"),
    [
        ({}, ["QuantizeLinear", "DequantizeLinear"], "INT8"),
        ({"narrow_range": True}, ["Clip", "QuantizeLinear", "DequantizeLinear"], "INT8"),
        ({"num_bits": 5, "round_mode": "HALF_UP"}, ["Clip", "QuantizeLinear", "DequantizeLinear"], "INT8"),
        ({"signed_input": False}, ["QuantizeLinear", "DequantizeLinear"], "UINT8"),
    ],
)
def test_quantize_and_dequantize_to_a_given_range_is_a_pair(
    agree: Check, tf: Any, options: dict[str, Any], expected: list[str], dtype: str
) -> None:
    for operator in (tf.raw_ops.QuantizeAndDequantizeV2, tf.raw_ops.QuantizeAndDequantizeV4):
        given = {"input_min": -1.0, "input_max": 1.5, "range_given": True, **options}
        model = agree(lambda x, op=operator, given=given: op(input=x, **given), 40, step=0.1)
        assert ops(model.graph) == expected
        assert types(model) == {dtype}


def test_version_3_takes_the_bits_as_an_input(agree: Check, tf: Any) -> None:
    model = agree(
        lambda x: tf.raw_ops.QuantizeAndDequantizeV3(input=x, input_min=-1.0, input_max=1.5, num_bits=6), 40, step=0.1
    )
    assert ops(model.graph) == ["Clip", "QuantizeLinear", "DequantizeLinear"]


def test_channels_follow_a_transpose(agree: Check, tf: Any) -> None:
    kernel = np.random.default_rng(1).standard_normal((1, 1, 4, 4)).astype(np.float32)
    low, high = -np.arange(1, 5, dtype=np.float32), np.arange(2, 6, dtype=np.float32)

    def function(x: Any) -> Any:
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        y = tf.quantization.fake_quant_with_min_max_vars_per_channel(y, low, high, 7, True)
        return tf.nn.conv2d(y, np.eye(4, dtype=np.float32).reshape(1, 1, 4, 4), 1, "SAME")

    model = agree(function, 5, 5, 4, step=9 / 126, ties=0.01)
    assert ops(model.graph) == [
        *("Transpose", "Conv", "Max", "Min", "QuantizeLinear", "DequantizeLinear", "Conv", "Transpose")
    ]
    quantise = next(node for node in model.graph if node.op_type == "QuantizeLinear")
    assert quantise.attributes.get_int("axis") == -3


def test_a_pair_in_a_branch_is_written_there(tf: Any) -> None:
    traced = tf.function(
        lambda x: tf.cond(
            tf.reduce_sum(x) > 0, lambda: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 2.0), lambda: 3 * x
        ),
        input_signature=[tf.TensorSpec((None, 3), name="x")],
    )
    model = load(traced)
    (branching,) = (node for node in model.graph if node.op_type == "If")
    branches = [attribute.as_graph() for attribute in branching.attributes.values()]
    assert ["QuantizeLinear", "DequantizeLinear"] in [ops(branch)[:2] for branch in branches]
    for sign in (1, -1):
        x = sign * np.array([[0.25, 0.8, 5.0]], np.float32)
        (actual,) = Session(model).run({"x": x}).values()
        np.testing.assert_array_equal(actual, traced(tf.constant(x)).numpy())


def test_a_graph_without_quantisation_is_left_alone(agree: Check, tf: Any) -> None:
    assert ops(agree(lambda x: tf.nn.relu(x), 4, step=0).graph) == ["Relu"]


def test_sixteen_bits_raise_what_else_there_is(agree: Check, tf: Any) -> None:
    def function(x: Any) -> Any:
        kernel = tf.quantization.fake_quant_with_min_max_args(tf.ones((1, 1, 4, 4)), -2.0, 2.0, 16)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        y = tf.quantization.fake_quant_with_min_max_vars(y, -3.0, 3.0, 12)
        return tf.reduce_max(tf.quantization.quantize_and_dequantize_v2(y, 0, 0, range_given=False), (1, 2))

    model = agree(function, 5, 5, 4, step=6 / 127, ties=0.01)
    assert model.opset_imports[""] == 21
    assert types(model) >= {"INT16", "UINT16"}

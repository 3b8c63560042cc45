from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.standard_normal((3, 3, 8, 6)).astype(np.float32)
DEPTHWISE = RANDOM.standard_normal((3, 3, 8, 2)).astype(np.float32)
BIG = RANDOM.standard_normal((3, 3, 8, 64)).astype(np.float32)
"""More elements than a weight has that stays in the graph while it is converted."""


def per_channel(tf: Any, weight: Any, **options: Any) -> Any:
    """Quantised as quantisation-aware training does it: symmetric, by the last axis."""
    largest = tf.reduce_max(tf.abs(weight), list(range(len(weight.shape) - 1)))
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        weight, -largest, largest, **{"narrow_range": True, **options}
    )


@pytest.fixture(scope="module")
def weights(tf: Any) -> Callable[..., tuple[ir.Model, dict[str, tuple[Array, Array, Array, int | None]]]]:
    """Convert a function of an image; returns what its DequantizeLinears take, by the operator that uses them.

    The outputs agree to the precision of float32, weights being equal to the bit.
    """

    def stored(function: Callable[[Any], Any], *shape: int) -> Any:
        traced = tf.function(function, input_signature=[tf.TensorSpec((None, *(shape or (7, 7, 8))), name="x")])
        model = load(traced)
        x = np.random.default_rng(1).standard_normal((3, *(shape or (7, 7, 8)))).astype(np.float32)
        (actual,) = Session(model).run({"x": x}).values()
        expected = traced(tf.constant(x)).numpy()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
        found = {}
        for node in model.graph:
            if node.op_type == "DequantizeLinear":
                constants = [value.const_value.numpy() for value in node.inputs]
                (use,) = node.outputs[0].uses()
                found[use.node.op_type] = (*constants, node.attributes.get_int("axis", None))
        return model, found

    return stored


@pytest.mark.parametrize("kernel", [KERNEL, BIG], ids=["in the graph", "beside the graph"])
def test_a_kernel_is_stored_by_output_channel(weights: Any, tf: Any, kernel: Array) -> None:
    _, found = weights(lambda x: tf.nn.conv2d(x, per_channel(tf, tf.constant(kernel)), 1, "SAME"))
    integers, scale, zero_point, axis = found["Conv"]
    assert (integers.dtype, integers.shape, axis) == (np.int8, kernel.transpose(3, 2, 0, 1).shape, 0)
    np.testing.assert_array_equal(zero_point, 0)
    np.testing.assert_array_equal(scale, (2 * np.abs(kernel).max((0, 1, 2))) / np.float32(254))
    expected = per_channel(tf, tf.constant(kernel)).numpy().transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(integers * scale.reshape(-1, 1, 1, 1), expected)


def test_a_variable_is_a_constant(weights: Any, tf: Any) -> None:
    variable = tf.Variable(BIG)
    _, found = weights(lambda x: tf.nn.conv2d(x, per_channel(tf, variable), 1, "SAME"))
    assert found["Conv"][0].dtype == np.int8


def test_channels_that_a_reshape_repeats_are_repeated(weights: Any, tf: Any) -> None:
    _, found = weights(lambda x: tf.nn.depthwise_conv2d(x, per_channel(tf, tf.constant(DEPTHWISE)), [1] * 4, "SAME"))
    integers, scale, _, axis = found["Conv"]
    assert (integers.shape, axis) == ((16, 1, 3, 3), 0)
    largest = np.abs(DEPTHWISE).max((0, 1, 2))
    np.testing.assert_array_equal(scale, np.tile((2 * largest) / np.float32(254), 8))


def test_a_depthwise_kernel_may_be_quantised_by_input_channel(weights: Any, tf: Any) -> None:
    kernel = DEPTHWISE[..., :1]

    def by_input_channel(x: Any) -> Any:
        flat = per_channel(tf, tf.reshape(tf.constant(kernel), (3, 3, 8)))
        return tf.nn.depthwise_conv2d(x, tf.reshape(flat, (3, 3, 8, 1)), [1] * 4, "SAME")

    model, found = weights(by_input_channel)
    integers, scale, _, axis = found["Conv"]
    assert (integers.shape, scale.shape, axis) == ((8, 1, 3, 3), (8,), 0)
    assert "Reshape" not in {node.op_type for node in model.graph}


def test_a_matrix_is_stored_by_column(weights: Any, tf: Any) -> None:
    _, found = weights(lambda x: x @ per_channel(tf, tf.constant(KERNEL[0, 0])), 8)
    integers, scale, _, axis = found["MatMul"]
    assert (integers.dtype, integers.shape, scale.shape, axis) == (np.int8, (8, 6), (6,), 1)


def test_one_scale_needs_no_axis(weights: Any, tf: Any) -> None:
    kernel = tf.constant(KERNEL)
    _, found = weights(
        lambda x: tf.nn.conv2d(x, tf.quantization.fake_quant_with_min_max_vars(kernel, -3.0, 3.0), 1, "SAME")
    )
    integers, scale, zero_point, axis = found["Conv"]
    assert (scale.shape, axis, int(zero_point)) == ((), None, 0)
    assert integers.min() == -128


def test_a_range_that_reaches_further_on_one_side_has_a_zero_point(weights: Any, tf: Any) -> None:
    low, high = np.linspace(-2, 0, 6, dtype=np.float32), np.linspace(1, 3, 6, dtype=np.float32)
    kernel = tf.constant(KERNEL)
    _, found = weights(
        lambda x: tf.nn.conv2d(
            x, tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, low, high), 1, "SAME"
        )
    )
    integers, scale, zero_point, _ = found["Conv"]
    assert integers.dtype == zero_point.dtype == np.int8
    np.testing.assert_array_equal(scale, (high - low) / np.float32(255))
    np.testing.assert_array_equal(zero_point, np.round(-low / scale) - 128)


@pytest.mark.parametrize(("bits", "dtype"), [(4, np.int8), (16, np.int16)])
def test_other_bits_are_stored_in_the_next_type(weights: Any, tf: Any, bits: int, dtype: type) -> None:
    _, found = weights(lambda x: tf.nn.conv2d(x, per_channel(tf, tf.constant(KERNEL), num_bits=bits), 1, "SAME"))
    integers = found["Conv"][0]
    assert (integers.dtype, integers.max()) == (dtype, 2 ** (bits - 1) - 1)


def test_a_channel_with_a_range_of_zero_is_zeros(weights: Any, tf: Any) -> None:
    high = np.array([0, 1, 1, 1, 1, 1], np.float32)
    kernel = tf.constant(KERNEL)
    _, found = weights(
        lambda x: tf.nn.conv2d(
            x, tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -high, high), 1, "SAME"
        )
    )
    integers, _, zero_point, _ = found["Conv"]
    np.testing.assert_array_equal(integers[0], zero_point[0])


@pytest.mark.parametrize("range_given", [True, False])
def test_quantize_and_dequantize_of_a_kernel_is_stored_too(weights: Any, tf: Any, range_given: bool) -> None:
    largest, kernel = np.abs(KERNEL).max((0, 1, 2)), tf.constant(KERNEL)
    ends = {"input_min": -largest, "input_max": largest}
    options = {"range_given": range_given, "narrow_range": True, "axis": 3, "num_bits": 8}
    _, found = weights(
        lambda x: tf.nn.conv2d(x, tf.raw_ops.QuantizeAndDequantizeV3(input=kernel, **ends, **options), 1, "SAME")
    )
    integers, scale, zero_point, axis = found["Conv"]
    assert (integers.dtype, axis, zero_point.any()) == (np.int8, 0, False)
    np.testing.assert_array_equal(scale, largest / np.float32(127))


def test_a_folded_batch_normalization_is_folded_before_the_kernel_is_quantised(weights: Any, tf: Any) -> None:
    gamma, variance = tf.Variable(np.linspace(0.5, 2, 64, dtype=np.float32)), tf.Variable(np.ones(64, np.float32))
    kernel = tf.Variable(BIG)
    model, found = weights(
        lambda x: tf.nn.conv2d(x, per_channel(tf, kernel * (gamma * tf.math.rsqrt(variance + 1e-3))), 1, "SAME")
    )
    assert found["Conv"][0].dtype == np.int8
    assert [node.op_type for node in model.graph] == ["Transpose", "DequantizeLinear", "Conv", "Transpose"]


def test_two_users_each_get_their_layout(tf: Any, weights: Any) -> None:
    def shared(x: Any) -> Any:
        square = per_channel(tf, tf.constant(KERNEL[0, 0, :6]))
        return x @ square + x @ tf.transpose(square)

    model, _ = weights(shared, 6)
    scales = [node.attributes.get_int("axis") for node in model.graph if node.op_type == "DequantizeLinear"]
    assert sorted(scales) == [0, 1]


def test_a_layout_without_an_axis_of_channels_stays_behind_the_scales(tf: Any, weights: Any) -> None:
    def mixed(x: Any) -> Any:
        return x @ tf.reshape(per_channel(tf, tf.constant(KERNEL[0, 0])), (6, 8))

    model, found = weights(mixed, 6)
    assert found["Reshape"][3] == 1
    assert [node.op_type for node in model.graph] == ["DequantizeLinear", "Reshape", "MatMul"]

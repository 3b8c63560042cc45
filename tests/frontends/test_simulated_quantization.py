"""Networks trained with simulated quantisation, from TensorFlow to the integer kernels of onnxruntime."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import compress, convert
from onnxpress.measuring.kernels import kernels
from onnxpress.runtime import Session

X = np.random.default_rng(0).standard_normal((4, 16, 16, 3)).astype(np.float32)
STEP = 32 / 255


def network(tf: Any, *, folded: bool) -> Any:
    """Convolution, depthwise and pointwise convolution, dense layer; weights by channel, activations by tensor.

    BatchNormalization is multiplied into the kernels before they are quantised (`folded`), as in TensorFlow's older
    tools, or stands behind the convolutions, as in the Keras layers of its model optimisation toolkit.
    """
    generator = np.random.default_rng(1)
    quantise = tf.quantization.fake_quant_with_min_max_vars

    def variable(*shape: int) -> Any:
        return tf.Variable(0.3 * generator.standard_normal(shape).astype(np.float32))

    def by_channel(weight: Any) -> Any:
        largest = tf.reduce_max(tf.abs(weight), list(range(len(weight.shape) - 1)))
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(weight, -largest, largest, narrow_range=True)

    def by_tensor(weight: Any) -> Any:
        largest = tf.reduce_max(tf.abs(weight))
        return quantise(weight, -largest, largest, narrow_range=True)

    class Network(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = [variable(3, 3, 3, 16), variable(3, 3, 16, 1), variable(1, 1, 16, 300)]
            sizes = [16, 16, 300]
            self.norms = [
                [tf.Variable(generator.uniform(0.5, 1.5, size).astype("f")) for _ in "gbmv"] for size in sizes
            ]
            self.dense = variable(300, 10)

        def layer(self, index: int, x: Any, apply: Any, weights: Any, spread: tuple[int, ...]) -> Any:
            gamma, beta, mean, variance = self.norms[index]
            if folded:
                factor = gamma * tf.math.rsqrt(variance + 1e-3)
                kernel = self.kernels[index] * tf.reshape(factor, spread)
                y = apply(x, weights(kernel)) + (beta - mean * factor)
            else:
                y = apply(x, weights(self.kernels[index]))
                y = tf.nn.batch_normalization(y, mean, variance, beta, gamma, 1e-3)
            return quantise(tf.nn.relu6(y), 0.0, 6.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3), name="x")])
        def __call__(self, x: Any) -> Any:
            y = quantise(x, -3.0, 3.0)
            y = self.layer(0, y, lambda y, w: tf.nn.conv2d(y, w, 2, "SAME"), by_channel, (1, 1, 1, -1))
            y = self.layer(1, y, lambda y, w: tf.nn.depthwise_conv2d(y, w, [1] * 4, "SAME"), by_tensor, (1, 1, -1, 1))
            y = self.layer(2, y, lambda y, w: tf.nn.conv2d(y, w, 1, "SAME"), by_channel, (1, 1, 1, -1))
            y = quantise(tf.reduce_mean(y, (1, 2)), 0.0, 4.0)
            return quantise(y @ by_channel(self.dense) + tf.range(10.0), -16.0, 16.0)

    return Network()


@pytest.fixture(scope="module", params=[True, False], ids=["folded", "behind"])
def source(request: pytest.FixtureRequest, tf: Any) -> Any:
    return network(tf, folded=request.param)


@pytest.fixture(scope="module")
def converted(source: Any) -> ir.Model:
    return convert(source).model


def assert_within_a_step(model: ir.Model, source: Any, *, optimize: bool = False) -> None:
    """Equal but for what lies so near a tie that the order of a sum decides: at most one score in ten, by one step."""
    (actual,) = Session(model, optimize=optimize).run({"x": X}).values()
    difference = np.abs(actual - source(X).numpy())
    assert difference.max() < 1.001 * STEP
    assert np.mean(difference > 0.001 * STEP) <= 0.1


def test_every_weight_is_stored_as_integers(converted: ir.Model) -> None:
    for node in converted.graph:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            assert node.inputs[1].producer().op_type == "DequantizeLinear"
            assert node.inputs[1].producer().inputs[0].const_value.dtype == ir.DataType.INT8
    floats = [value for value in converted.graph.initializers.values() if value.dtype == ir.DataType.FLOAT]
    assert max(value.const_value.size for value in floats) <= 300


def test_conversion_keeps_the_numbers(converted: ir.Model, source: Any) -> None:
    assert_within_a_step(converted, source)
    assert "BatchNormalization" not in {node.op_type for node in converted.graph}


def test_onnxruntime_runs_it_in_integers(converted: ir.Model, source: Any) -> None:
    run = kernels(converted, {"x": X}, runs=1)
    counts = Counter(kernel.node.op_type for kernel in run)
    assert (counts["QLinearConv"], counts["QGemm"], counts["QLinearGlobalAveragePool"]) == (3, 1, 1)
    assert not [kernel.node.op_type for kernel in run if kernel.category == "float"]
    assert_within_a_step(converted, source, optimize=True)


def test_int8_leaves_what_is_quantised_and_says_so(converted: ir.Model, source: Any) -> None:
    result = compress(converted, recipe="int8", data=[{"x": X}])
    assert Counter(node.op_type for node in result.model.graph) == Counter(node.op_type for node in converted.graph)
    assert_within_a_step(result.model, source)
    (step,) = (step for step in result.run.steps if step.name == "insert-qdq")
    reasons = {item.reason for item in step.notes.declined if item.op_type in ("Conv", "Gemm")}
    assert all("is quantised already" in reason for reason in reasons)
    assert len(reasons) > 1


def test_a_saved_model_arrives_the_same(source: Any, converted: ir.Model, tf: Any, tmp_path: Path) -> None:
    tf.saved_model.save(source, tmp_path / "saved", signatures={"serving_default": source.__call__})
    loaded = convert(tmp_path / "saved").model
    (expected,) = Session(converted).run({"x": X}).values()
    (actual,) = Session(loaded).run({"x": X}).values()
    np.testing.assert_array_equal(actual, expected)
    assert [node.op_type for node in loaded.graph] == [node.op_type for node in converted.graph]


def test_keras_layers_that_quantise_their_kernels(keras: Any, tf: Any, tmp_path: Path) -> None:
    class QuantisingConv2D(keras.layers.Conv2D):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            largest = tf.reduce_max(tf.abs(self.kernel), (0, 1, 2))
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                self.kernel, -largest, largest, narrow_range=True
            )
            y = tf.nn.relu(tf.nn.conv2d(inputs, kernel, 1, "SAME") + self.bias)
            return tf.quantization.fake_quant_with_min_max_args(y, 0.0, 8.0)

    image = keras.Input((16, 16, 3), name="x")
    x = QuantisingConv2D(8, 3)(
        keras.layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_args(x, -3, 3))(image)
    )
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(QuantisingConv2D(16, 3)(x)))
    network.export(tmp_path / "exported", verbose=False)
    for form in (network, tmp_path / "exported"):
        model = convert(form).model
        stored = [
            node for node in model.graph if node.op_type == "DequantizeLinear" and node.inputs[0].is_initializer()
        ]
        assert [node.attributes.get_int("axis") for node in stored] == [0, 0]
        (actual,) = Session(model).run({model.graph.inputs[0].name: X}).values()
        np.testing.assert_allclose(actual, network(X).numpy(), rtol=0, atol=8 / 255)
        run = kernels(model, {model.graph.inputs[0].name: X}, runs=1)
        assert sum(kernel.node.op_type == "QLinearConv" for kernel in run) == 2

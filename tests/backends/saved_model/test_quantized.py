from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidModel
from onnxpress.runtime import Session
from onnxpress.workflow import compress
from onnxpress_backends.saved_model.weight_return import return_weights
from onnxpress_frontends import tensorflow_source
from saved_models import Written

STEP = 1 / 100
"""How far numbers that were rounded to 8 bits may differ, of the largest: a rounding turns the other way."""


@pytest.fixture
def quantized(network: ir.Model) -> ir.Model:
    """The network with integers for its weights and biases, and a QuantizeLinear before every operator."""
    calibration = np.random.default_rng(3).standard_normal((16, 3, 8, 8)).astype(np.float32)
    return compress(network, recipe="int8", data={"image": calibration}).model


def near(actual: Any, expected: Any) -> None:
    difference = np.abs(actual - expected) / np.abs(expected).max()
    assert difference.max() < STEP
    assert np.median(difference) < 1e-5


def trained(tf: Any, loaded: Any, images: Any) -> None:
    """Three steps of gradient descent."""
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(loaded(images, training=True) ** 2)
        gradients = tape.gradient(loss, loaded.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        for variable, gradient in zip(loaded.trainable_variables, gradients, strict=True):
            variable.assign_sub(1e-4 * gradient)


def test_it_gives_what_onnxruntime_gives(tf: Any, quantized: ir.Model, images: Any, written: Written) -> None:
    loaded = tf.saved_model.load(str(written(quantized)))
    near(loaded(images).numpy(), Session(quantized).run({"image": images})["scores"])


def test_its_grids_come_back_as_onnx(quantized: ir.Model, images: Any, written: Written) -> None:
    back = tensorflow_source.load(written(quantized))
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in back.graph}
    feeds = {"image": images}
    near(Session(back).run(feeds)["scores"], Session(quantized).run(feeds)["scores"])


def test_exact_arithmetic_is_equal_to_the_last_bit(tf: Any, quantized: ir.Model, images: Any, written: Written) -> None:
    loaded = tf.saved_model.load(str(written(quantized, mode="exact")))
    np.testing.assert_array_equal(loaded(images).numpy(), Session(quantized).run({"image": images})["scores"])


def test_every_range_can_be_trained(tf: Any, quantized: ir.Model, written: Written) -> None:
    folder = written(quantized)
    loaded = tf.saved_model.load(str(folder))
    content = json.loads((folder / "assets" / "onnxpress_weights.json").read_text())
    scales = {name for name in quantized.graph.initializers if name.endswith("_scale")}
    stored = {name for name, value in quantized.graph.initializers.items() if value.dtype == ir.DataType.INT32}
    biases = {f"{name.removesuffix('_quantized')}_scale" for name in stored}
    assert biases
    assert {row["scale"] for row in content["ranges"]} == scales - biases
    for row in content["ranges"]:
        assert loaded.variables[row["maximum"]].trainable
        symmetric = row["minimum"] is None
        assert symmetric == (row["factor"] == -1)
        assert symmetric or loaded.variables[row["minimum"]].trainable
    assert {row["initializer"] for row in content["weights"]} >= stored


def test_what_was_tuned_comes_back(tf: Any, quantized: ir.Model, images: Any, written: Written) -> None:
    folder = written(quantized)
    loaded = tf.saved_model.load(str(folder))
    trained(tf, loaded, images)
    expected = loaded(images).numpy()
    tuned = folder.with_name("tuned")
    tf.saved_model.save(loaded, str(tuned))
    returned = return_weights(quantized, tuned)
    before = Session(quantized).run({"image": images})["scores"]
    near(Session(returned).run({"image": images})["scores"], expected)
    near(Session(returned, optimize=True).run({"image": images})["scores"], expected)
    assert np.abs(expected - before).max() > 5 * STEP * np.abs(before).max()
    assert returned.graph.initializers.keys() == quantized.graph.initializers.keys()


def test_what_was_not_tuned_comes_back_as_it_was(quantized: ir.Model, written: Written) -> None:
    returned = return_weights(quantized, written(quantized))
    for name, value in quantized.graph.initializers.items():
        assert value.const_value is not None
        back = returned.graph.initializers[name].const_value
        assert back is not None and back.dtype == value.const_value.dtype
        np.testing.assert_array_equal(back.numpy(), value.const_value.numpy(), err_msg=name)


def test_a_range_that_was_trained_away_is_refused(tf: Any, quantized: ir.Model, written: Written) -> None:
    folder = written(quantized)
    loaded = tf.saved_model.load(str(folder))
    row = json.loads((folder / "assets" / "onnxpress_weights.json").read_text())["ranges"][0]
    loaded.variables[row["maximum"]].assign(-1e9)
    tf.saved_model.save(loaded, str(folder.with_name("tuned")))
    with pytest.raises(InvalidModel, match=f"range of the scale '{row['scale']}' is empty or not finite"):
        return_weights(quantized, folder.with_name("tuned"))


def test_a_scale_that_is_not_there_is_refused(network: ir.Model, quantized: ir.Model, written: Written) -> None:
    with pytest.raises(InvalidModel, match=r"no node of the model reads the scale 'image_scale'.*written from"):
        return_weights(network, written(quantized))

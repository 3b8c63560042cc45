from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from saved_models import Written, weights


def test_gradient_tape_trains_it(tf: Any, network: ir.Model, images: Any, written: Written) -> None:
    loaded = tf.saved_model.load(str(written(network)))
    goal = np.zeros((5, 4), np.float32)
    losses = []
    for _ in range(4):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((loaded(images, training=True) - goal) ** 2)
        gradients = tape.gradient(loss, loaded.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        for variable, gradient in zip(loaded.trainable_variables, gradients, strict=True):
            variable.assign_sub(1e-4 * gradient)
        losses.append(float(loss))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_training_keeps_moving_statistics(tf: Any, network: ir.Model, images: Any, written: Written) -> None:
    loaded = tf.saved_model.load(str(written(network)))
    mean, kernel = (next(each for each in loaded.variables if each.name == name) for name in ("mean:0", "kernel:0"))
    before = mean.numpy()
    plain = loaded(images)
    np.testing.assert_array_equal(mean.numpy(), before)
    normalized = loaded(images, training=True)
    assert np.abs(normalized - plain).max() > 1e-2
    batch = tf.nn.conv2d(images.transpose(0, 2, 3, 1), kernel, 1, "SAME").numpy().mean((0, 1, 2))
    np.testing.assert_allclose(mean.numpy(), 0.5 * before + 0.5 * batch, rtol=1e-5)


@pytest.mark.parametrize("endpoint", ["serving_default", "__call__"])
def test_keras_trains_it_as_a_layer(tf: Any, network: ir.Model, images: Any, written: Written, endpoint: str) -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.TFSMLayer(str(written(network)), call_endpoint=endpoint)
    assert len(layer.trainable_weights) == 6
    start = keras.Input((3, 8, 8))
    outputs = layer(start)
    model = keras.Model(start, outputs["scores"] if isinstance(outputs, dict) else outputs)
    model.compile(keras.optimizers.SGD(1e-4), "mse")
    history = model.fit(images, np.zeros((5, 4), np.float32), epochs=4, verbose=0).history["loss"]
    assert history == sorted(history, reverse=True)
    assert history[-1] < 0.9 * history[0]


CELL = """
    agraph (float[7,3] x, float[3] start, float[3,3] w) => (float[3] last, float[7,3] all) {
      last, all = Scan<num_scan_inputs = 1, body = body (float[3] state, float[3] item) => (float[3] next, float[3] o) {
        product = MatMul(state, w)
        sum = Add(product, item)
        next = Tanh(sum)
        o = Identity(next)
      }>(start, x)
    }
"""
BRANCHES = """
    agraph (float[2,3] x, bool flag, float[3,3] w, float[3,3] v) => (float[2,3] y) {
      y = If<then_branch = yes () => (float[2,3] a) { a = MatMul(x, w) },
             else_branch = no () => (float[2,3] b) { b = MatMul(x, v) }>(flag)
    }
"""
RECURRENT = """
    agraph (float[7,N,3] x, float[1,16,3] w, float[1,16,4] r, float[1,32] b) => (float[7,1,N,4] y) {
      y = LSTM<hidden_size = 4>(x, w, r, b)
    }
"""


@pytest.mark.parametrize(
    ("text", "shapes", "feeds"),
    [
        (CELL, {"w": (3, 3)}, {"x": (7, 3), "start": (3,)}),
        (BRANCHES, {"w": (3, 3), "v": (3, 3)}, {"x": (2, 3), "flag": None}),
        (RECURRENT, {"w": (1, 16, 3), "r": (1, 16, 4), "b": (1, 32)}, {"x": (7, 2, 3)}),
    ],
    ids=["scan", "if", "lstm"],
)
def test_weights_in_loops_and_branches_are_trained(
    tf: Any, written: Written, text: str, shapes: dict[str, tuple[int, ...]], feeds: dict[str, Any]
) -> None:
    model = parse(text, **weights(**shapes))
    loaded = tf.saved_model.load(str(written(model)))
    assert {variable.name for variable in loaded.trainable_variables} == {f"{name}:0" for name in shapes}
    generator = np.random.default_rng(4)
    arrays = {
        name: np.array(True) if shape is None else generator.standard_normal(shape).astype(np.float32)
        for name, shape in feeds.items()
    }
    with tf.GradientTape() as tape:
        outputs = loaded({name: tf.constant(array) for name, array in arrays.items()})
        named = outputs if isinstance(outputs, dict) else {model.graph.outputs[0].name: outputs}
        loss = tf.add_n([tf.reduce_sum(output**2) for output in named.values()])
    for name, array in Session(model).run(arrays).items():
        np.testing.assert_allclose(named[name], array, rtol=0, atol=1e-5)
    gradients = tape.gradient(loss, loaded.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert any(np.abs(gradient).max() > 0.01 for gradient in gradients)

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from saved_models import Written


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

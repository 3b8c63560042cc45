"""Tune an ONNX model in TensorFlow, and copy what was learnt back into the ONNX file.

The classifier of the demo loses three quarters of each convolution's weights, and with them its accuracy.  Written as a
SavedModel, it learns to say again what it said before, on pictures without labels; the lost weights stay zero.

    python examples/fine_tune.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

import onnxpress
from onnxpress import model_files
from onnxpress.runtime import Session
from onnxpress_backends.saved_model.weight_return import return_weights

DEMO = Path(__file__).resolve().parents[1] / "demo"
SPARSITY, EPOCHS, BATCH, RATE = 0.75, 12, 16, 2e-3


def pruned(model: ir.Model) -> ir.Model:
    """A copy without the smallest weights of every convolution."""
    model = model.clone()
    for node in model.graph:
        if node.op_type == "Conv" and (kernel := node.inputs[1]) is not None and kernel.const_value is not None:
            weights = kernel.const_value.numpy()
            kept = np.abs(weights) >= np.quantile(np.abs(weights), SPARSITY)
            kernel.const_value = ir.tensor(weights * kept, name=kernel.name)
    return model


def pictures(name: str) -> dict[str, Any]:
    """Feeds: pictures of the demo as the network takes them."""
    return {key: array.astype(np.float32) for key, array in np.load(DEMO / "data" / f"{name}.npz").items()}


def accuracy(model: ir.Model) -> float:
    """On 2,000 test pictures, run by onnxruntime."""
    labels = np.load(DEMO / "data" / "test-labels.npy")
    (scores,) = Session(model).run(pictures("test")).values()
    return float((scores.argmax(-1) == labels).mean())


def tune(folder: Path, images: Any, wanted: Any, epochs: int) -> None:
    """Train a SavedModel to give `wanted`, and save it again."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    variables = loaded.trainable_variables
    masks = [tf.cast(variable != 0, variable.dtype) for variable in variables]
    optimizer = tf.keras.optimizers.Adam(RATE)
    optimizer.build(variables)
    samples = tf.data.Dataset.from_tensor_slices((images, wanted)).shuffle(len(images), seed=0).batch(BATCH)

    @tf.function
    def step(batch: Any, goal: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((loaded(batch, training=True) - goal) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        for variable, mask in zip(variables, masks, strict=True):
            variable.assign(variable * mask)

    for _ in range(epochs):
        for batch, goal in samples:
            step(batch, goal)
    tf.saved_model.save(loaded, str(folder), signatures=loaded.signatures)


def main(out: Path, epochs: int = EPOCHS) -> ir.Model:
    """Prune, tune, return; print what that gave."""
    original = onnxpress.convert(DEMO / "models" / "fashion_conv").model
    smaller = pruned(original)
    onnxpress.convert(smaller, out=f"{out}/trainable/")
    images = pictures("calibration")
    (wanted,) = Session(original).run(images).values()
    tune(out / "trainable", images["image"], wanted, epochs)
    tuned = return_weights(smaller, out / "trainable")
    model_files.save(tuned, out / "tuned.onnx")
    for name, model in {"original": original, "pruned": smaller, "tuned": tuned}.items():
        print(f"{name:9} accuracy {100 * accuracy(model):.2f} %")
    return tuned


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/fine_tune"))

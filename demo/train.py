"""Train one of the demo's classifiers on Fashion-MNIST and write what the demo runs on.

    python demo/train.py --network conv

writes `demo/models/fashion_conv/` (a SavedModel for inference) and, from the same data set, `demo/data/`:
test pictures with their labels and calibration pictures, all raw uint8 pixels.

The schedule is short on purpose (minutes on two cores): SGD with Nesterov momentum, a linear warm-up and a cosine to
zero, pictures mirrored and shifted by up to one pixel. Everything random is drawn from `--seed`.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fashion_mnist import DEBIAN_FOLDER, Split, balanced_choice, read_split
from networks import NETWORKS

if TYPE_CHECKING:
    import keras

HERE = Path(__file__).parent
BATCH = 128
BRIGHTEST = 255
TEST_SEED = 7  # of 0..11, the choice on which the conv network's accuracy is closest to that on all 10,000 pictures


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How one network is trained; `decay` is the L2 penalty's derivative, applied to kernels only."""

    epochs: int
    peak_rate: float
    decay: float


SCHEDULES = {
    "conv": Schedule(epochs=10, peak_rate=0.1, decay=5e-4),
    "depthwise": Schedule(epochs=12, peak_rate=0.1, decay=1e-4),
}


def main() -> None:
    """Parse the command line, train, export, pack."""
    parser = argparse.ArgumentParser(description="Train a demo network and write its SavedModel and the data packs.")
    parser.add_argument("--network", choices=sorted(NETWORKS), required=True)
    parser.add_argument("--dataset", type=Path, default=DEBIAN_FOLDER, help="folder of the four idx-ubyte.gz files")
    parser.add_argument("--out", type=Path, default=HERE, help="folder that receives models/ and data/")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    training = read_split(options.dataset, prefix="train")
    test = read_split(options.dataset, prefix="t10k")
    write_packs(training, test, options.out / "data")
    model = with_raw_pixels(train(options.network, training, seed=options.seed), options.network)
    export(model, options.out / "models" / model.name)
    print(f"{model.name}: {model.count_params():,} parameters, test accuracy {accuracy(model, test):.2%}")


def write_packs(training: Split, test: Split, folder: Path) -> None:
    """Write 2,000 test pictures with labels and 256 training pictures, chosen the same way on every run."""
    folder.mkdir(parents=True, exist_ok=True)
    sample = balanced_choice(test, count=2000, seed=TEST_SEED)
    np.savez_compressed(folder / "test.npz", image=sample.images)
    np.save(folder / "test-labels.npy", sample.labels)
    np.savez_compressed(folder / "calibration.npz", image=balanced_choice(training, count=256, seed=0).images)


def train(network: str, training: Split, *, seed: int) -> keras.Model:
    """Train `network` from scratch on pixels scaled to 0..1."""
    import keras
    from augmentation import ShiftedAndMirrored

    keras.utils.set_random_seed(seed)
    schedule = SCHEDULES[network]
    model = NETWORKS[network]()
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            layer.kernel_regularizer = keras.regularizers.L2(schedule.decay / 2)
    batches = ShiftedAndMirrored(training, batch=BATCH, brightest=BRIGHTEST, seed=seed)
    model.compile(
        optimizer=keras.optimizers.SGD(_rate(schedule, len(batches)), momentum=0.9, nesterov=True),
        loss={"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
    )
    model.fit(batches, epochs=schedule.epochs, shuffle=False, verbose=2)
    return model


def _rate(schedule: Schedule, batches: int) -> keras.optimizers.schedules.LearningRateSchedule:
    import keras

    steps = schedule.epochs * batches
    warm_up = steps * 15 // 100
    return keras.optimizers.schedules.CosineDecay(
        schedule.peak_rate / 20, steps - warm_up, warmup_target=schedule.peak_rate, warmup_steps=warm_up
    )


def with_raw_pixels(trained: keras.Model, network: str) -> keras.Model:
    """The same network without its optimizer, taking pixels 0..255 as they are stored.

    The stem's kernel is divided by 255: exact up to rounding, as the stem is linear, has no bias, and pads with zeros.
    """
    model = NETWORKS[network]()
    model.set_weights(trained.get_weights())
    stem = model.get_layer("stem")
    stem.kernel.assign(stem.kernel / BRIGHTEST)
    return model


def export(model: keras.Model, folder: Path) -> None:
    """Write a SavedModel of inference alone: input `image` float32[N, 28, 28, 1], output `logits` float32[N, 10].

    Keras' own `export` stores every weight twice, so the module saved here holds only what inference
    reads.
    """
    import tensorflow as tf

    pixels = tf.TensorSpec((None, 28, 28, 1), tf.float32, name="image")
    serve = tf.function(lambda image: model(image, training=False), input_signature=[pixels], autograph=False)
    module = tf.Module()
    module.inference_variables = serve.get_concrete_function().variables
    options = tf.saved_model.SaveOptions(experimental_debug_stripper=True)
    tf.saved_model.save(module, str(folder), signatures=serve, options=options)


def accuracy(model: keras.Model, test: Split) -> float:
    """The share of test pictures, given as raw pixels, whose largest logit is the label's."""
    logits = model.predict(test.images.astype(np.float32), batch_size=500, verbose=0)["logits"]
    return float(np.mean(logits.argmax(axis=1) == test.labels))


if __name__ == "__main__":
    main()

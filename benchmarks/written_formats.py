"""What the backends write, run by those it is written for: TensorFlow, Keras and the TFLite interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frozen_graphs import FrozenGraph
from onnxpress_backends.tensorflow.graphs.graph import legal_name

Feeds = Mapping[str, Any]
Outputs = list[Any]


def run_pb(path: Path, feeds: Feeds, outputs: Sequence[str]) -> Outputs:
    """A frozen graph in a session of one thread."""
    graph = FrozenGraph(path)
    results = graph.run(_legal(feeds), [legal_name(name) for name in outputs])
    graph.close()
    return results


def run_saved_model(path: Path, feeds: Feeds, outputs: Sequence[str]) -> Outputs:
    """The serving signature of a SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    results = loaded.signatures["serving_default"](**{name: tf.constant(x) for name, x in _legal(feeds).items()})
    return [results[legal_name(name)].numpy() for name in outputs]


def run_keras(path: Path, feeds: Feeds, outputs: Sequence[str]) -> Outputs:
    """A Keras model; one output comes alone, several by name."""
    import keras
    import numpy as np

    given = list(feeds.values())
    results = keras.saving.load_model(path)(given[0] if len(given) == 1 else given, training=False)
    named = results if isinstance(results, dict) else {legal_name(outputs[0]): results}
    return [np.asarray(named[legal_name(name)]) for name in outputs]


def run_tflite(path: Path, feeds: Feeds, outputs: Sequence[str]) -> Outputs:
    """A TFLite file in its interpreter."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(model_path=str(path)).get_signature_runner()
    wanted = runner.get_input_details()
    results = runner(**{name: array for name, array in _legal(feeds).items() if name in wanted})
    return [results[legal_name(name)] for name in outputs]


FORMATS: Mapping[str, Callable[[Path, Feeds, Sequence[str]], Outputs]] = {
    ".pb": run_pb,
    "/": run_saved_model,
    ".keras": run_keras,
    ".tflite": run_tflite,
}
"""By the end of the name that `convert` is given."""


def _legal(feeds: Feeds) -> dict[str, Any]:
    return {legal_name(name): array for name, array in feeds.items()}

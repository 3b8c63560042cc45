"""TensorFlow to ONNX to TensorFlow to ONNX: what changes on the way, and what the graph that comes back costs.

Every family of keras.applications (random weights that behave, see `applications`), a transformer of two layers (64
words, width 128) and LSTMs of both directions with a GRU behind them (50 words, 64 units).  The original is frozen by
TensorFlow's own tool, ours is what ``onnxpress convert model -o there.onnx`` and ``onnxpress convert there.onnx -o
back.pb`` make; both run in TensorFlow sessions of one thread, in turns, on one sample, without oneDNN.  Transposes are
counted beyond those of the original, where attention has its own.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np

from applications import blotches, build, pixel_range
from frozen_graphs import FrozenGraph
from keras_networks import encoder, texts
from results import Goal, quick, write

MEMBERS = {
    "ConvNeXtTiny": 224,
    "DenseNet121": 224,
    "EfficientNetB0": 224,
    "EfficientNetV2B0": 224,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "MobileNet": 224,
    "MobileNetV2": 224,
    "MobileNetV3Large": 224,
    "MobileNetV3Small": 224,
    "NASNetMobile": 224,
    "ResNet50": 224,
    "ResNet50V2": 224,
    "VGG16": 224,
    "Xception": 299,
}
RECURRENT = "LSTM and GRU"
RUNS = 20
OPENINGS = 3


Opened = tuple[Any, Mapping[str, Any], str]
"""A frozen graph, a path or a GraphDef, what it is fed, and the output to fetch."""


def frozen(model: Any, samples: Sequence[Any]) -> Opened:
    """A Keras model of one output, frozen by TensorFlow."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]
    concrete = tf.function(lambda *inputs: applied(model, inputs)).get_concrete_function(*signature)
    constant = convert_variables_to_constants_v2(concrete)
    names = [tensor.op.name for tensor in constant.inputs]
    return constant.graph.as_graph_def(), dict(zip(names, samples, strict=True)), constant.outputs[0].op.name


def applied(model: Any, inputs: Sequence[Any]) -> Any:
    """What a Keras model gives."""
    return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)


def ratio(graphs: Mapping[str, Opened], runs: int) -> float:
    """Time of the graph that came back over that of the original: the median of the rounds, both opened anew."""
    rounds = []
    for _ in range(OPENINGS):
        opened = {name: (FrozenGraph(source), feeds, y) for name, (source, feeds, y) in graphs.items()}
        for _ in range(runs):
            times = {}
            for name, (graph, feeds, y) in opened.items():
                graph.run(feeds, [y])
                start = time.process_time()
                graph.run(feeds, [y])
                times[name] = time.process_time() - start
            rounds.append(times["back"] / times["original"])
        for graph, _, _ in opened.values():
            graph.close()
    return float(np.median(rounds))


def elements(model: Any) -> int:
    """Parameters of a model: elements of its floating-point initialisers, equal ones counted once.

    Those of fewer than eight elements are sizes and limits rather than weights, and left out.
    """
    tensors = [value.const_value for graph in model.graphs() for value in graph.initializers.values()]
    arrays = [tensor.numpy() for tensor in tensors if tensor.dtype.is_floating_point() and tensor.size >= 8]
    distinct = {hashlib.sha256(array.tobytes()).digest(): array.size for array in arrays}
    return sum(distinct.values())


def same_signature(before: Any, after: Any) -> bool:
    """Whether inputs and outputs have the names, types and sizes they had; open sizes may have become known."""
    ends = [[*model.graph.inputs, *model.graph.outputs] for model in (before, after)]
    return len(ends[0]) == len(ends[1]) and all(
        (one.name, one.dtype, len(one.shape)) == (other.name, other.dtype, len(other.shape))
        and all(size == now or not isinstance(size, int) for size, now in zip(one.shape, other.shape, strict=True))
        for one, other in zip(*ends, strict=True)
    )


def trip(name: str, model: Any, samples: Sequence[Any], folder: Path, runs: int) -> dict[str, Any]:
    """One network there and back; it is timed with the first of each of the `samples`."""
    import onnxpress
    from onnxpress.runtime import Session

    path = folder / f"{name}.pb"
    there = onnxpress.convert(model, out=folder / f"{name}.onnx").model
    onnxpress.convert(folder / f"{name}.onnx", out=path)
    again = onnxpress.convert(path).model
    feeds = {value.name or "": array for value, array in zip(there.graph.inputs, samples, strict=True)}
    y = there.graph.outputs[0].name or ""
    expected = applied(model, samples).numpy()
    scale = np.abs(expected).max()
    graph = FrozenGraph(path)
    original = frozen(model, [array[:1] for array in samples])
    (actual,) = graph.run(feeds, [y])
    (returned,) = Session(again).run(feeds).values()
    added = graph.ops().count("Transpose") - sum(node.op == "Transpose" for node in original[0].node)
    graph.close()
    first = {key: array[:1] for key, array in feeds.items()}
    return {
        "network": name,
        "Transposes": max(added, 0),
        "TensorFlow again, difference": float(np.abs(actual - expected).max() / scale),
        "ONNX again, difference": float(np.abs(returned - expected).max() / scale),
        "parameters": elements(there),
        "parameters again": elements(again),
        "same signature": same_signature(there, again),
        "size of .pb / .onnx": path.stat().st_size / (folder / f"{name}.onnx").stat().st_size,
        "latency / original": ratio({"original": original, "back": (path, first, y)}, runs),
    }


def application(name: str, size: int) -> tuple[Any, list[Any]]:
    """A member of keras.applications, and two images."""
    low, high = pixel_range(name)
    return build(name, size=size), [blotches(2, size, size, low=low, high=high, seed=1)]


def transformer() -> tuple[Any, list[Any]]:
    """A transformer, and two texts of which the second half is masked in part."""
    import keras

    model = encoder(keras, length=64, width=128, heads=4, words=1000, middle=512)
    generator = np.random.default_rng(0)
    masks = np.arange(64) < generator.integers(32, 64, (2, 1))
    return model, [generator.integers(0, 1000, (2, 64), np.int32), masks]


def recurrent() -> tuple[Any, list[Any]]:
    """LSTMs and a GRU, and two texts."""
    import keras

    words = np.random.default_rng(0).integers(0, 1000, (2, 50), np.int32)
    return texts(keras, words=1000, width=64, units=64), [words]


def main() -> None:
    """Every network."""
    import keras

    members = {"MobileNetV2": 96} if quick() else MEMBERS
    networks = {name: partial(application, name, size) for name, size in members.items()}
    rows = []
    for name, made in (networks | {"transformer": transformer, RECURRENT: recurrent}).items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(trip(name, *made(), Path(folder), 3 if quick() else RUNS))
        keras.backend.clear_session()
        print(rows[-1], flush=True)
    differences = ("TensorFlow again, difference", "ONNX again, difference")
    goals = [
        Goal("Transposes in the graphs that came back", 0, sum(row["Transposes"] for row in rows)),
        Goal("largest difference", 1e-5, max(row[key] for row in rows for key in differences)),
        Goal(
            "networks with other parameters or another signature",
            0,
            sum(row["parameters"] != row["parameters again"] or not row["same signature"] for row in rows),
        ),
        Goal(
            "latency against the original, the worst without recurrent layers",
            1.05,
            max(row["latency / original"] for row in rows if row["network"] != RECURRENT),
        ),
    ]
    write("round_trip", about=(__doc__ or "").strip(), rows=rows, goals=goals)


if __name__ == "__main__":
    main()

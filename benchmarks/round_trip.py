"""TensorFlow to ONNX to TensorFlow to ONNX: what changes on the way, and what the graph that comes back costs.

Every family of keras.applications (random weights that behave, see `applications`).  The original is frozen by
TensorFlow's own tool, ours is what ``onnxpress convert model -o there.onnx`` and ``onnxpress convert there.onnx -o
back.pb`` make; both run in TensorFlow sessions of one thread, in turns, on one image, without oneDNN.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np

from applications import blotches, build, pixel_range
from frozen_graphs import FrozenGraph
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
RUNS = 20
OPENINGS = 3


def frozen(model: Any) -> tuple[Any, str, str]:
    """A Keras model frozen by TensorFlow, and the names of its input and output."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    constant = convert_variables_to_constants_v2(concrete)
    return constant.graph.as_graph_def(), constant.inputs[0].op.name, constant.outputs[0].op.name


def ratio(graphs: Mapping[str, tuple[Any, str, str]], image: Any, runs: int) -> float:
    """Time of the graph that came back over that of the original: the median of the rounds, both opened anew."""
    rounds = []
    for _ in range(OPENINGS):
        opened = {name: (FrozenGraph(source), x, y) for name, (source, x, y) in graphs.items()}
        for _ in range(runs):
            times = {}
            for name, (graph, x, y) in opened.items():
                graph.run({x: image}, [y])
                start = time.process_time()
                graph.run({x: image}, [y])
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


def trip(name: str, size: int, folder: Path, runs: int) -> dict[str, Any]:
    """One network there and back."""
    import onnxpress
    from onnxpress.runtime import Session

    model = build(name, size=size)
    low, high = pixel_range(name)
    images = blotches(2, size, size, low=low, high=high, seed=1)
    path = folder / f"{name}.pb"
    there = onnxpress.convert(model, out=folder / f"{name}.onnx").model
    onnxpress.convert(folder / f"{name}.onnx", out=path)
    again = onnxpress.convert(path).model
    x, y = there.graph.inputs[0].name or "", there.graph.outputs[0].name or ""
    expected = model(images, training=False).numpy()
    scale = np.abs(expected).max()
    graph = FrozenGraph(path)
    (actual,) = graph.run({x: images}, [y])
    (returned,) = Session(again).run({x: images}).values()
    added = graph.ops().count("Transpose")
    graph.close()
    return {
        "network": name,
        "Transposes": added,
        "TensorFlow again, difference": float(np.abs(actual - expected).max() / scale),
        "ONNX again, difference": float(np.abs(returned - expected).max() / scale),
        "parameters": elements(there),
        "parameters again": elements(again),
        "same signature": same_signature(there, again),
        "size of .pb / .onnx": path.stat().st_size / (folder / f"{name}.onnx").stat().st_size,
        "latency / original": ratio({"original": frozen(model), "back": (path, x, y)}, images[:1], runs),
    }


def main() -> None:
    """Every network."""
    import keras

    members = {"MobileNetV2": 96} if quick() else MEMBERS
    rows = []
    for name, size in members.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(trip(name, size, Path(folder), 3 if quick() else RUNS))
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
        Goal("latency against the original, the worst", 1.05, max(row["latency / original"] for row in rows)),
    ]
    write("round_trip", about=(__doc__ or "").strip(), rows=rows, goals=goals)


if __name__ == "__main__":
    main()

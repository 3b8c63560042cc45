"""What writing a ResNet-50 (25.6 million parameters) for TensorFlow costs, each format in a process of its own.

An ONNX file is read and written with the backend's defaults; the time is that of reading and writing, without imports,
and the memory is what the process grew by beyond them.  The peer is TensorFlow's own TFLite converter, given the Keras
model; no converter of ONNX to TensorFlow installs beside these versions (onnx-tf is of 2022, onnx2tf pins others).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from costs import Cost, in_child, resident_mb, run_child
from models.onnx_files import NETWORKS, onnx_file
from results import Goal, write

FORMATS = {"tensorflow-pb": "out.pb", "savedmodel": "out/", "keras": "out.keras", "tflite": "out.tflite"}
IMPORTING = {"savedmodel", "keras", "tflite"}
PEER = "TFLiteConverter.from_keras_model"


def child(*, model: str, backend: str, out: str) -> Cost:
    """Read and write once, after a first time with a small model that brings the imports."""
    if backend == PEER:
        return peer(out)
    import onnx_ir as ir

    from onnxpress import model_files
    from onnxpress.kinds import Backend
    from onnxpress.registry import Registry

    emit = Registry().get(Backend, backend).emit
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }'
    emit(ir.from_onnx_text(text), Path(out).with_name(f"small_{Path(out).name}"))
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        emit(model_files.load(Path(model)), Path(out))
    return cost


def peer(out: str) -> Cost:
    """What TensorFlow's converter costs for the Keras model, which is there already."""
    import tensorflow as tf

    network = NETWORKS["resnet50"]()
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        Path(out).write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return cost


def main() -> None:
    """Measure every format."""
    model = onnx_file("resnet50", folded=True)
    weights = model.stat().st_size / 1e6
    rows: list[dict[str, Any]] = []
    for backend, name in {**FORMATS, PEER: "peer.tflite"}.items():
        with tempfile.TemporaryDirectory() as folder:
            cost = in_child(__file__, {"model": str(model), "backend": backend, "out": f"{folder}/{name}"})
        grown = cost.peak_mb - cost.idle_mb
        rows.append(
            {
                "backend": backend,
                "imports TensorFlow": "yes" if backend in IMPORTING or backend == PEER else "no",
                "CPU s": cost.cpu_seconds,
                "peak MB beyond imports": grown,
                "peak / weights": grown / weights,
            }
        )
    first = rows[0]
    goals = [
        Goal("CPU seconds of a frozen graph", 1.5, first["CPU s"]),
        Goal("peak memory of a frozen graph over its weights", 3.0, first["peak / weights"]),
        Goal("CPU time of a TFLite file over the converter's for Keras", 1.0, rows[3]["CPU s"] / rows[4]["CPU s"]),
    ]
    write("emission", about=(__doc__ or "").strip(), rows=rows, goals=goals)


if __name__ == "__main__" and not run_child(child):
    main()

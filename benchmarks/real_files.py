"""Published networks from file to int8: does each convert, how fast, how exactly, and what does int8 cost it.

Each is converted by onnxpress and by tf2onnx as it comes, each in a process of its own; a ``.h5`` file is read in both
times.  The difference is the largest one of the float model to TensorFlow over the largest output.  int8 is the
recipe of that name, against onnxruntime's `quantize_static` with u8 activations and s8 weights per channel; the SQNR
is that of the outputs against the float model without graph optimisation.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import peers
from costs import Cost, in_child, resident_mb, run_child
from models.real_files import REAL_FILES, RealFile
from results import Goal, quick, write

OPSET = 17
PEER = "u8s8 per-channel"
"""onnxruntime's tool at its best setting without histograms."""


def child(*, name: str, converter: str, folder: str) -> Cost:
    """Convert, or run in TensorFlow, one network."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tf2onnx  # noqa: F401  brings in TensorFlow; importing is not what is measured

    from onnxpress import convert

    source = REAL_FILES[name].source()
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        if converter == "tf2onnx":
            _stock(source, Path(folder) / "tf2onnx.onnx")
        elif converter == "onnxpress":
            convert(source, out=Path(folder) / "onnxpress.onnx")
        else:
            np.save(Path(folder) / "expected.npy", in_tensorflow(source, np.load(Path(folder) / "samples.npy")))
    return cost


def in_tensorflow(source: Any, samples: Any) -> Any:
    """The first output of TensorFlow itself, sample by sample."""
    from onnxpress_frontends import tensorflow_source

    runner = tensorflow_source.reference(source)
    feeds = ({runner.inputs[0].name: samples[index : index + 1]} for index in range(len(samples)))
    return np.concatenate([runner.run(feed)[runner.outputs[0].name] for feed in feeds])


def _stock(source: Any, out: Path) -> None:
    import keras
    import onnx
    import tf2onnx

    if isinstance(source, Path):
        source = keras.models.load_model(source, compile=False)
    if isinstance(source, keras.Model):
        model, _ = tf2onnx.convert.from_keras(source, opset=OPSET, output_path=str(out))
    else:
        model, _ = tf2onnx.convert.from_function(source, source.input_signature, opset=OPSET, output_path=str(out))
    onnx.checker.check_model(model)


def row(name: str, file: RealFile, folder: Path) -> dict[str, Any]:
    """Everything about one network."""
    samples, _ = file.samples()
    np.save(folder / "samples.npy", samples)
    cases = {"name": name, "folder": str(folder)}
    own = in_child(__file__, {**cases, "converter": "onnxpress"}).cpu_seconds
    in_child(__file__, {**cases, "converter": "tensorflow"})
    try:
        theirs, verdict = in_child(__file__, {**cases, "converter": "tf2onnx"}).cpu_seconds, "converts"
    except RuntimeError as error:
        theirs, verdict = None, f"fails: {str(error).strip().splitlines()[-1][:100]}"
    return {
        "network": name,
        "weights": file.package,
        "inputs": file.inputs,
        "CPU s": own,
        "difference": difference(folder / "onnxpress.onnx", samples, np.load(folder / "expected.npy")),
        "tf2onnx": verdict,
        "its CPU s": theirs,
        "times as fast": theirs and theirs / own,
    } | compressed(folder / "onnxpress.onnx", folder, file)


def difference(model: Path, samples: Any, expected: Any) -> float:
    """The largest difference of the first output to `expected`, over the largest magnitude."""
    from onnxpress.runtime import Session

    session = Session(model, threads=1)
    (name,) = (port.name for port in session.inputs)
    outputs = [next(iter(session.run({name: samples[index : index + 1]}).values())) for index in range(len(samples))]
    return float(np.abs(np.concatenate(outputs) - expected).max() / np.abs(expected).max())


def compressed(model: Path, folder: Path, file: RealFile) -> dict[str, Any]:
    """What int8 costs and gains, by onnxpress and by onnxruntime's own tool."""
    import onnxpress
    from onnxpress.runtime import Session

    (port,) = Session(model).inputs
    calibration = file.calibration(4 if quick() else 64)
    own, theirs = folder / "int8.onnx", folder / "peer.onnx"
    onnxpress.compress(model, data={port.name: calibration}, out=own)
    peers.quantize_static(model, theirs, lambda: ({port.name: sample[None]} for sample in calibration), PEER)
    right, right_own, sqnr = judged(model, own, file)
    _, right_theirs, sqnr_theirs = judged(model, theirs, file)
    return {
        "right": right,
        "right in int8": right_own,
        "right in onnxruntime's": right_theirs,
        "int8 SQNR dB": sqnr,
        "onnxruntime's SQNR dB": sqnr_theirs,
        "int8 size": own.stat().st_size / model.stat().st_size,
    }


def judged(model: Path, int8: Path, file: RealFile) -> tuple[int | None, int | None, float]:
    """How many samples each gets right, if they have labels, and the SQNR of int8."""
    import onnxpress.data
    from onnxpress.measuring.comparing import compare
    from onnxpress.runtime import Session

    samples, labels = file.samples()
    reference = Session(model, threads=1)
    data = onnxpress.data.load({reference.inputs[0].name: samples}, reference.inputs)
    found = compare(reference, Session(int8, optimize=True, threads=1), data, labels=labels)
    sqnr = found.outputs[0].sqnr_db
    if labels is None:
        return None, None, sqnr
    return round((found.accuracy_a or 0.0) * len(labels)), round((found.accuracy_b or 0.0) * len(labels)), sqnr


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """Every network converts exactly, and its int8 is nowhere worse than that of onnxruntime's tool."""
    labelled = {row["network"]: row for row in rows if row["right"] is not None}
    gains = [row["int8 SQNR dB"] - row["onnxruntime's SQNR dB"] for row in rows]
    return [
        Goal("networks that convert", len(REAL_FILES), len(rows), at_least=True),
        Goal("largest difference to TensorFlow", 1e-5, max(row["difference"] for row in rows)),
        Goal("EfficientNet-Lite0 right of 20", 18, labelled["EfficientNet-Lite0"]["right"], at_least=True),
        Goal("CIFAR-10 CNN right of 20", 20, labelled["CIFAR-10 CNN"]["right"], at_least=True),
        Goal("int8 SQNR in dB above onnxruntime's, where it is least", 0.0, min(gains), at_least=True),
    ]


def main() -> None:
    """Measure every network."""
    rows = []
    for name, file in REAL_FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(name, file, Path(folder)))
    write("real_files", about=__doc__ or "", rows=rows, goals=goals(rows))


if __name__ == "__main__" and not run_child(child):
    main()

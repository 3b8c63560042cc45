"""EfficientNet-Lite0 with its ImageNet weights: what int8 costs in accuracy and gains in speed and size.

Calibrated on 64 crops of scikit-image's photographs, judged on the 20 labelled ImageNet photographs of foolbox: SQNR of
the logits against float without graph optimisation, top-1, latency at one thread, and file size over float.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import peers
from interleaving import gain, latencies
from models import photos
from models.efficientnet_lite0 import SIZE
from models.onnx_files import input_name, onnx_file
from results import Goal, quick, write

SEED = 0
ONNXPRESS = "onnxpress int8"
OBSERVERS = ("minmax", "percentile", "entropy")
PEERS = ("default", "u8s8", "u8s8 per-channel")
HISTOGRAM_PEERS = ("u8s8 per-channel percentile", "u8s8 per-channel entropy")


def quantized(model: Path, folder: Path, calibration: Mapping[str, Any]) -> dict[str, Path]:
    """The float model and every int8 one, by name."""
    import onnxpress

    files = {"float": model}
    for observer in (None, *OBSERVERS):
        name = f"{ONNXPRESS} {observer}" if observer else ONNXPRESS
        files[name] = folder / f"{name}.onnx"
        changed = {"calibrate.observer": observer} if observer else {}
        onnxpress.compress(model, data=calibration, out=files[name], step_options=changed)
    (name,) = calibration
    for setting in PEERS if quick() else PEERS + HISTOGRAM_PEERS:
        files[f"onnxruntime {setting}"] = folder / f"peer {setting}.onnx"
        peers.quantize_static(
            model,
            files[f"onnxruntime {setting}"],
            lambda: ({name: image[None]} for image in calibration[name]),
            setting,
        )
    return files


def measure(folder: Path) -> list[dict[str, Any]]:
    """A row for every model."""
    import onnxpress.data
    from onnxpress.measuring.comparing import compare
    from onnxpress.runtime import Session

    model = onnx_file("efficientnet_lite0")
    name = input_name(model)
    files = quantized(model, folder, {name: photos.unlabelled(4 if quick() else 64, SIZE, seed=SEED)})
    images, labels = photos.labelled(SIZE)
    times = latencies(files, {name: images[:1]}, runs=5 if quick() else 100)
    best_time = min((times[f"onnxruntime {setting}"] for setting in PEERS), key=median)
    reference = Session(model, threads=1)
    samples = onnxpress.data.load({name: images}, reference.inputs)
    rows = []
    for key, path in files.items():
        found = compare(reference, Session(path, optimize=True, threads=1), samples, labels=labels)
        rows.append(
            {
                "model": key,
                "logit SQNR dB": None if key == "float" else found.outputs[0].sqnr_db,
                "right of 20": round((found.accuracy_b or 0.0) * len(labels)),
                "median ms": float(median(times[key])),
                "x float": gain(times["float"], times[key]),
                "x onnxruntime's best": gain(best_time, times[key]),
                "size": path.stat().st_size / model.stat().st_size,
            }
        )
    return rows


def affine_nodes(path: Path) -> int:
    """How many Mul, and Add of a constant, are left of BatchNormalization."""
    from onnxpress import model_files

    nodes = list(model_files.load(path).graph)
    constant = [node for node in nodes if any(value and value.const_value is not None for value in node.inputs)]
    return sum(node.op_type in ("Mul", "Sub", "Div", "BatchNormalization") for node in nodes) + sum(
        node.op_type == "Add" for node in constant
    )


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """What the int8 recipe is held to; onnxruntime's best is taken column by column."""
    own = next(row for row in rows if row["model"] == ONNXPRESS)
    theirs = [row for row in rows if row["model"].startswith("onnxruntime u8s8")]
    best = max(row["logit SQNR dB"] for row in theirs)
    return [
        Goal("logit SQNR in dB", 21.0, own["logit SQNR dB"], at_least=True),
        Goal("logit SQNR in dB above onnxruntime's best", 0.0, own["logit SQNR dB"] - best, at_least=True),
        Goal("photographs right of 20", 18, own["right of 20"], at_least=True),
        Goal("times as fast as float", 1.9, own["x float"], at_least=True),
        Goal("times as fast as onnxruntime's best (3 % is noise)", 0.97, own["x onnxruntime's best"], at_least=True),
        Goal("size over float", 0.276, own["size"]),
        Goal("nodes left of BatchNormalization after convert", 0, affine_nodes(onnx_file("efficientnet_lite0"))),
    ]


def main() -> None:
    """Measure every model."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    write("efficientnet_lite0", about=__doc__ or "", rows=rows, goals=goals(rows))


if __name__ == "__main__":
    main()

"""Latency of int8 at one thread: against float, and against onnxruntime's `quantize_static` at its default and best.

All models run in one process in turns, in onnxruntime as it comes.  Random weights and made-up images: the SQNR only
shows that nothing is broken; `efficientnet_lite0` is where accuracy is compared.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import peers
from interleaving import gain, latencies
from models.onnx_files import input_name, onnx_file
from results import Goal, quick, write
from samples import images

BOUNDS = {"mobilenetv2": 1.9, "resnet50": 3.0}
RUNS = {"mobilenetv2": 100, "resnet50": 20}
PEERS = ("default", "u8s8", "u8s8 per-channel")
ONNXPRESS = "onnxpress int8"


def quantized(network: str, folder: Path, *, count: int) -> dict[str, Path]:
    """The float model and every int8 one, by name."""
    import onnxpress

    model = onnx_file(network)
    files = {"float": model, ONNXPRESS: folder / "onnxpress.onnx"}
    generate = images(input_name(model), count)
    onnxpress.compress(model, data=generate, out=files[ONNXPRESS])
    for setting in PEERS:
        files[f"onnxruntime {setting}"] = folder / f"{setting}.onnx"
        peers.quantize_static(model, files[f"onnxruntime {setting}"], generate, setting)
    return files


def measure(network: str) -> list[dict[str, Any]]:
    """A row for every model of one network."""
    import onnxpress.data
    from onnxpress.measuring.comparing import compare
    from onnxpress.runtime import Session

    with tempfile.TemporaryDirectory() as name:
        files = quantized(network, Path(name), count=2 if quick() else 16)
        reference = Session(files["float"], threads=1)
        feeds = next(iter(images(reference.inputs[0].name, 1)()))
        times = latencies(files, feeds, runs=5 if quick() else RUNS[network])
        best = min((own for name, own in times.items() if name.startswith("onnxruntime")), key=median)
        samples = onnxpress.data.load(images(reference.inputs[0].name, 2 if quick() else 8, seed=9), reference.inputs)
        return [
            {
                "network": network,
                "model": name,
                "median ms": float(median(own)),
                "x float": gain(times["float"], own),
                "x onnxruntime's best": gain(best, own),
                "size": files[name].stat().st_size / files["float"].stat().st_size,
                "SQNR dB": compare(reference, Session(files[name], optimize=True, threads=1), samples)
                .outputs[0]
                .sqnr_db,
            }
            for name, own in times.items()
        ]


def goals(network: str, rows: list[dict[str, Any]]) -> list[Goal]:
    """What int8 is held to."""
    own = next(row for row in rows if row["model"] == ONNXPRESS)
    best = own["x onnxruntime's best"]
    return [
        Goal(f"{network}: times as fast as float", BOUNDS[network], own["x float"], at_least=True),
        Goal(f"{network}: times as fast as onnxruntime's best (3 % is noise)", 0.97, best, at_least=True),
    ]


def main() -> None:
    """Measure both networks."""
    by_network = {network: measure(network) for network in BOUNDS}
    rows = [row for rows in by_network.values() for row in rows]
    write("latency", about=__doc__ or "", rows=rows, goals=[g for item in by_network.items() for g in goals(*item)])


if __name__ == "__main__":
    main()

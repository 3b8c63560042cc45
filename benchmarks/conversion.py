"""CPU time and memory of converting keras.applications to ONNX: `onnxpress.convert` against tf2onnx as it comes.

Both are given the same Keras model and write the same kind of file; reading the model is not timed.  tf2onnx has no
passes like those of recipe `convert`, so onnxpress runs without and with them.  Extra memory is the peak of the process
over what importing TensorFlow and tf2onnx takes, so the model itself is in it.  Weights are random, BatchNormalization
has statistics of data.  The difference is that of the outputs in onnxruntime, unoptimised, for two images: the largest,
over the largest output.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from applications import blotches, build, pixel_range
from costs import Cost, in_child, resident_mb, run_child
from results import Goal, quick, write

BOUNDS = {"MobileNetV2": (1.0, None), "ResNet50": (2.0, 500.0), "EfficientNetB7": (10.0, 1200.0)}
"""CPU seconds and extra megabytes."""

CLOSE = 1e-6

BARE, TIDY = "onnxpress", "onnxpress with passes"


def child(*, network: str, model: str, tool: str, out: str) -> Cost:
    """Build a network, or convert it with one tool."""
    from onnxpress_frontends.tensorflow_import import import_keras

    keras = import_keras()
    if tool == "keras":
        build(network).save(model)
        return Cost()
    import tf2onnx

    from onnxpress import convert
    from onnxpress_frontends import tensorflow_source  # noqa: F401  both tools are imported before the clock starts

    cost = Cost(idle_mb=resident_mb())
    loaded = keras.models.load_model(model)
    with cost.timed():
        if tool == "tf2onnx":
            tf2onnx.convert.from_keras(loaded, opset=17, output_path=out)
        else:
            convert(loaded, out=out, recipe="convert" if tool == TIDY else [])
    return cost


def difference(network: str, one: Path, other: Path) -> float:
    """The largest difference of the outputs, over the largest output of `other`."""
    from onnxpress.runtime import Session

    outputs = []
    for path in (one, other):
        session = Session(path)
        (port,) = session.inputs
        sizes = [size if isinstance(size, int) else 2 for size in port.shape or ()]
        low, high = pixel_range(network)
        images = blotches(*sizes[:3], low=low, high=high, seed=1)
        outputs += session.run({port.name: images}).values()
    return float(np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[1]).max())


def main() -> None:
    """Convert each network with each tool."""
    import onnx

    rows: list[dict[str, Any]] = []
    goals = []
    for network in list(BOUNDS)[: 1 if quick() else None]:
        with tempfile.TemporaryDirectory() as folder:
            case = {"network": network, "model": f"{folder}/model.keras"}
            in_child(__file__, case | {"tool": "keras", "out": ""})
            paths = {tool: Path(folder) / f"{index}.onnx" for index, tool in enumerate((BARE, TIDY, "tf2onnx"))}
            costs = {tool: in_child(__file__, case | {"tool": tool, "out": str(path)}) for tool, path in paths.items()}
            apart = {tool: difference(network, path, paths["tf2onnx"]) for tool, path in paths.items()}
            nodes = {tool: len(onnx.load(path).graph.node) for tool, path in paths.items()}
            megabytes = paths[BARE].stat().st_size / 1e6
        extra = {tool: cost.peak_mb - cost.idle_mb for tool, cost in costs.items()}
        rows += [
            {
                "network": network,
                "tool": tool,
                "ONNX MB": megabytes,
                "nodes": nodes[tool],
                "CPU s": cost.cpu_seconds,
                "extra MB": extra[tool],
                "CPU ratio": cost.cpu_seconds / costs["tf2onnx"].cpu_seconds,
                "memory ratio": extra[tool] / extra["tf2onnx"],
                "difference": apart[tool],
            }
            for tool, cost in costs.items()
        ]
        seconds, memory = BOUNDS[network]
        goals.append(Goal(f"{network}: CPU s", seconds, costs[BARE].cpu_seconds))
        if memory is not None:
            goals.append(Goal(f"{network}: extra MB", memory, extra[BARE]))
        goals.append(Goal(f"{network}: difference from tf2onnx's outputs", CLOSE, apart[BARE]))
    write("conversion", about=__doc__ or "", rows=rows, goals=goals)


if __name__ == "__main__" and not run_child(child):
    main()

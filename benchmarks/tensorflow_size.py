"""Size of frozen TensorFlow graphs in every mode, in per cent of the float one.

The float graph is what `onnxpress.convert` makes of a network of keras.applications; fake-quant and exact are that of
its int8 form.  quantize-weights follows the rule of TensorFlow's own tool, graph_transforms, which went with
TensorFlow 1: float constants of at least 1,024 elements in 8 bits.  What that should give is predicted from the float
graph: a quarter of those constants, all else as it is, and 400 bytes for the three nodes that each needs more.  The
cosine is that between the outputs of the two, for two images.
"""

from __future__ import annotations

import gzip
import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from applications import blotches, build, pixel_range
from frozen_graphs import FrozenGraph
from results import Goal, quick, write

NETWORKS = ("MobileNetV2", "ResNet50", "DenseNet121")
BOUND = 0.27
MODES = ("float", "quantize-weights", "fake-quant", "exact")


def emit(network: str, folder: Path) -> dict[str, Path]:
    """The files of a network, by mode."""
    from onnxpress import compress, convert
    from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB

    model = convert(build(network)).model
    image = model.graph.inputs[0]
    _, height, width, _ = list(image.shape or ())
    low, high = pixel_range(network)
    samples = blotches(1, height, width, low=low, high=high, seed=2)
    quantised = compress(model, recipe="int8", data=[{image.name or "": samples}]).model
    paths = {mode: folder / f"{mode}.pb" for mode in MODES}
    for mode, path in paths.items():
        TENSORFLOW_PB.emit(quantised if mode in ("fake-quant", "exact") else model, path, mode=mode)
    return paths


def predicted(path: Path) -> float:
    """The size that the rule should leave of a float graph, as a share."""
    nodes = FrozenGraph(path).graph.as_graph_def().node
    contents = [node.attr["value"].tensor for node in nodes if node.op == "Const" and node.attr["dtype"].type == 1]
    large = [prod(dim.size for dim in content.tensor_shape.dim) for content in contents]
    large = [size for size in large if size >= 1024]
    return float(1 - (3 * sum(large) - 400 * len(large)) / path.stat().st_size)


def cosine(network: str, one: Path, other: Path) -> float:
    """The cosine between the outputs of two graphs."""
    outputs = []
    for path in (one, other):
        graph = FrozenGraph(path)
        (image,) = (node for node in graph.graph.get_operations() if node.type == "Placeholder")
        last = graph.graph.get_operations()[-1]
        height, width = image.outputs[0].shape[1:3]
        low, high = pixel_range(network)
        outputs.append(graph.run({image.name: blotches(2, height, width, low=low, high=high, seed=1)}, [last.name])[0])
    norms = [np.linalg.norm(output) for output in outputs]
    return float(np.vdot(*outputs) / (norms[0] * norms[1]))


def main() -> None:
    """Emit every network in every mode."""
    rows: list[dict[str, Any]] = []
    goals = []
    for network in NETWORKS[: 1 if quick() else None]:
        with tempfile.TemporaryDirectory() as folder:
            paths = emit(network, Path(folder))
            size = {mode: path.stat().st_size for mode, path in paths.items()}
            share = {mode: bytes_ / size["float"] for mode, bytes_ in size.items()}
            packed = len(gzip.compress(paths["quantize-weights"].read_bytes(), 6)) / size["float"]
            expected = predicted(paths["float"])
            near = cosine(network, paths["float"], paths["quantize-weights"])
        rows.append(
            {"network": network, "float MB": size["float"] / 1e6}
            | {f"{mode} %": 100 * share[mode] for mode in MODES[1:]}
            | {"predicted %": 100 * expected, "quantize-weights, gzip %": 100 * packed, "cosine": f"{near:.5f}"}
        )
        goals += [
            Goal(f"{network}: share of the float graph", BOUND, share["quantize-weights"]),
            Goal(f"{network}: share over what is predicted", 1.01, share["quantize-weights"] / expected),
            Goal(f"{network}: cosine", 0.999, near, at_least=True),
        ]
    write("tensorflow_size", about=__doc__ or "", rows=rows, goals=goals)


if __name__ == "__main__":
    main()

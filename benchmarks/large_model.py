"""Peak memory of converting a model of 3 GB whose weights lie in an external file.

Twelve square matrix products, each behind an Identity that the recipe removes; the weights differ from one another, so
that merging duplicates cannot make the model small.  The file is written piece by piece and deleted afterwards.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from costs import Cost, in_child, resident_mb, run_child
from results import Goal, quick, write

WIDTH = 8192
LAYERS = 12
BOUND_MB = 800.0


def create(path: Path, *, layers: int) -> None:
    """Write the model and its weights, ``path`` and ``path.data``, holding 4 MB at a time."""
    import onnx
    from onnx import TensorProto, helper

    generator = np.random.default_rng(0)
    length = WIDTH * WIDTH * 4
    nodes, initializers = [], []
    with path.with_name(path.name + ".data").open("wb") as file:
        for layer in range(layers):
            piece = generator.standard_normal(2**20, dtype=np.float32).tobytes()
            for _ in range(length // len(piece)):
                file.write(piece)
            weight = onnx.TensorProto(name=f"w{layer}", data_type=TensorProto.FLOAT, dims=(WIDTH, WIDTH))
            weight.data_location = TensorProto.EXTERNAL
            location = {"location": path.name + ".data", "offset": layer * length, "length": length}
            for key, value in location.items():
                weight.external_data.add(key=key, value=str(value))
            initializers.append(weight)
            nodes.append(helper.make_node("Identity", [f"x{layer}"], [f"same{layer}"]))
            nodes.append(helper.make_node("MatMul", [f"same{layer}", f"w{layer}"], [f"x{layer + 1}"]))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", WIDTH]) for name in ("x0", f"x{layers}")]
    graph = helper.make_graph(nodes, "large", ports[:1], ports[1:], initializers)
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def child(*, model: str, out: str) -> Cost:
    """Convert it."""
    import onnxpress

    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        onnxpress.convert(model, out=out)
    return cost


def main() -> None:
    """Create, convert, and look at what came out."""
    import onnx

    layers = 2 if quick() else LAYERS
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / "large.onnx", Path(folder) / "out.onnx"
        create(model, layers=layers)
        cost = in_child(__file__, {"model": str(model), "out": str(out)})
        converted = onnx.load(out, load_external_data=False)
        written = sum(path.stat().st_size for path in Path(folder).glob("out.onnx*"))
    if [node.op_type for node in converted.graph.node] != ["MatMul"] * layers or written < layers * WIDTH * WIDTH * 4:
        raise SystemExit("the converted model is not the model that was given")
    row = {"model GB": written / 1e9, "CPU s": cost.cpu_seconds, "peak MB": cost.peak_mb, "idle MB": cost.idle_mb}
    write("large_model", about=__doc__ or "", rows=[row], goals=[Goal("peak MB", BOUND_MB, cost.peak_mb)])


if __name__ == "__main__" and not run_child(child):
    main()

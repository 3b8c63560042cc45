"""Cost of calibration: CPU time over one bare onnxruntime pass of the same images, and peak memory.

Every case runs in its own process with one thread, on made-up images at batch 1, set-up included on all sides.
onnxruntime's histogram calibrators keep every activation of every image, so they get few images; the memory that 512
would take is extrapolated from two counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import peers
from costs import Cost, in_child, resident_mb, run_child
from models.onnx_files import onnx_file
from results import Goal, quick, write
from samples import images

METHODS = ("minmax", "entropy", "percentile", "mse")
PEER_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
BOUNDS = {"mobilenetv2": (2.0, 3.0), "resnet50": (1.5, 2.0)}
"""CPU time over a bare pass that min-max, and that histogram observers, may take."""

Row = dict[str, Any]


def child(*, model: str, tool: str, method: str, count: int) -> Cost:
    """One case: a bare pass, onnxpress's calibrate, or onnxruntime's calibrator."""
    return {"bare": _bare, "onnxpress": _onnxpress, "onnxruntime": _onnxruntime}[tool](Path(model), method, count)


def _bare(model: Path, method: str, count: int) -> Cost:
    import onnxruntime

    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        session = onnxruntime.InferenceSession(model, _one_thread())
        for feeds in images(session.get_inputs()[0].name, count)():
            session.run(None, feeds)
    return cost


def _onnxpress(model: Path, method: str, count: int) -> Cost:
    from onnxpress import data, model_files
    from onnxpress.kinds import Context
    from onnxpress.registry import Registry
    from onnxpress.run import transform
    from onnxpress.runtime import ports

    registry = Registry()
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        graph = model_files.load(model)
        inputs = ports(graph.graph.inputs)
        samples = data.load(images(inputs[0].name, count), inputs)
        context = Context(catalog=registry, data=samples, threads=1)
        transform(graph, [("calibrate", {"observer": method})], registry, context)
    return cost


def _onnxruntime(model: Path, method: str, count: int) -> Cost:
    import onnxruntime
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    kind = getattr(CalibrationMethod, PEER_METHODS[method])
    name = onnxruntime.InferenceSession(model).get_inputs()[0].name
    cost = Cost(idle_mb=resident_mb())
    with tempfile.TemporaryDirectory() as folder:
        augmented = str(Path(folder) / "augmented.onnx")
        with cost.timed():
            calibrator = create_calibrator(model, None, augmented, kind)
        options = _one_thread()  # the calibrator leaves the number of threads to onnxruntime
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        calibrator.infer_session = onnxruntime.InferenceSession(augmented, options)
        with cost.timed():
            calibrator.collect_data(peers.reader(images(name, count)()))
            calibrator.compute_data()
    return cost


def _one_thread() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options


def cases(network: str, counts: tuple[int, ...]) -> list[tuple[str, str, int]]:
    """What to measure: tool, method and number of images."""
    few = 64 if network == "mobilenetv2" else 16
    found = [("bare", "", count) for count in counts]
    found += [("onnxpress", method, count) for method in METHODS for count in counts]
    found += [("onnxruntime", "minmax", count) for count in counts]
    histograms = [count for count in (few // 4, few) if count <= counts[-1]]
    found += [("onnxruntime", method, count) for method in ("entropy", "percentile") for count in histograms]
    return found + [("bare", "", count) for count in histograms if count not in counts]


def measure(network: str, counts: tuple[int, ...]) -> list[Row]:
    """A row for every case of one network."""
    model = str(onnx_file(network))
    measured = {
        (tool, method, count): in_child(__file__, {"model": model, "tool": tool, "method": method, "count": count})
        for tool, method, count in cases(network, counts)
    }
    return [
        {
            "network": network,
            "tool": tool,
            "method": method,
            "images": count,
            "CPU s": cost.cpu_seconds,
            "x bare": cost.cpu_seconds / measured["bare", "", count].cpu_seconds,
            "peak MB": cost.peak_mb,
            "idle MB": cost.idle_mb,
        }
        for (tool, method, count), cost in measured.items()
    ]


def goals(network: str, rows: list[Row]) -> list[Goal]:
    """What calibration is held to."""
    own = [row for row in rows if row["tool"] == "onnxpress"]
    found = []
    for method in METHODS:
        few, many = (row for row in own if row["method"] == method)
        bound = BOUNDS[network][method != "minmax"]
        found.append(Goal(f"{network} {method}: CPU over a bare pass, {many['images']} images", bound, many["x bare"]))
        growth = (many["peak MB"] - few["peak MB"]) / (many["images"] - few["images"])
        found.append(Goal(f"{network} {method}: peak MB more per image", 0.1, growth))
    return found


def extrapolation(network: str, rows: list[Row]) -> str:
    """What onnxruntime's histogram calibrators would take for 512 images."""
    few, many = (row for row in rows if row["tool"] == "onnxruntime" and row["method"] == "entropy")
    slope = (many["peak MB"] - few["peak MB"]) / (many["images"] - few["images"])
    total = many["peak MB"] + slope * (512 - many["images"])
    return f"{network}: onnxruntime's entropy takes {slope:.0f} MB an image, 512 would need {total / 1000:.0f} GB."


def main() -> None:
    """Measure both networks."""
    counts = (16, 64) if quick() else (64, 512)
    by_network = {network: measure(network, counts) for network in (["mobilenetv2"] if quick() else BOUNDS)}
    about = (__doc__ or "") + "\n" + " ".join(extrapolation(*item) for item in by_network.items())
    rows = [row for rows in by_network.values() for row in rows]
    write("calibration", about=about, rows=rows, goals=[goal for item in by_network.items() for goal in goals(*item)])


if __name__ == "__main__" and not run_child(child):
    main()

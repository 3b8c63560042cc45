"""CPU time of everything in the int8 recipe that is not running the model.

ResNet-50 as it was converted is loaded, tidied, its BatchNorm folded, the ranges read from a file, QDQ pairs inserted,
every step verified, and the result saved.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from costs import Cost, in_child, resident_mb, run_child
from models.onnx_files import input_name, onnx_file
from results import Goal, quick, write
from samples import images

BOUND_S = 1.0
REPEATS = 1 if quick() else 5


def child(*, model: str, ranges: str, out: str, until: str) -> Cost:
    """Run the recipe up to and with the step called `until`, or to the end and save."""
    from onnxpress import model_files
    from onnxpress.kinds import Context
    from onnxpress.recipe import find
    from onnxpress.registry import Registry
    from onnxpress.run import transform

    registry = Registry()
    steps = [(step.name, dict(step.options)) for step in find("int8").steps]
    steps = [(name, {"ranges": ranges} if name == "calibrate" else options) for name, options in steps]
    last = [name for name, _ in steps].index(until) + 1 if until != "save" else len(steps)

    def work() -> Cost:
        cost = Cost(idle_mb=resident_mb())
        with cost.timed():
            context = Context(catalog=registry)
            graph, _ = transform(model_files.load(Path(model)), steps[:last], registry, context)
            if until == "save":
                model_files.save(graph, Path(out))
        return cost

    work()  # imports, and pages touched for the first time
    return min((work() for _ in range(REPEATS)), key=lambda cost: cost.cpu_seconds)


def main() -> None:
    """Measure the recipe up to each of its steps."""
    import onnxpress
    from onnxpress.recipe import find

    model = onnx_file("resnet50", folded=False)
    with tempfile.TemporaryDirectory() as folder:
        ranges, out = Path(folder) / "ranges.json", Path(folder) / "out.onnx"
        options = {"calibrate.save_ranges": str(ranges)}
        onnxpress.compress(model, data=images(input_name(model), 1), step_options=options)
        rows: list[dict[str, Any]] = []
        for until in [*(step.name for step in find("int8").steps), "save"]:
            case = {"model": str(model), "ranges": str(ranges), "out": str(out), "until": until}
            cost = in_child(__file__, case)
            rows.append({"up to and with": until, "CPU s": cost.cpu_seconds, "peak MB": cost.peak_mb})
    goals = [Goal("CPU seconds from file to file", BOUND_S, rows[-1]["CPU s"])]
    write("graph_work", about=__doc__ or "", rows=rows, goals=goals)


if __name__ == "__main__" and not run_child(child):
    main()

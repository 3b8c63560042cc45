"""Int8 for Ascend: what each arithmetic of the simulator makes of it, and what writing the files costs.

Every network goes through recipe ``int8`` for target ``ascend`` and into a deploy file, which the simulator runs in
the profiles ``rint``, ``tf`` and ``device``; beside them the QDQ model, and the fake-quant file, which is the
simulation that AMCT offers, in onnxruntime. SQNR is that of the logits against the float network. Accuracy is of all
10,000 test pictures of Fashion-MNIST (the demo's 2,000 where the data set is not installed), and of foolbox's 20
labelled photographs for EfficientNet-Lite0; MobileNetV2 and ResNet-50 have random weights. Cost is that of reading a
quantised ResNet-50 and writing it, beyond imports.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costs import Cost, in_child, resident_mb, run_child
from models import photos
from models.classifiers import DEMO, Task, fashion, photographs
from models.efficientnet_lite0 import SIZE
from models.onnx_files import onnx_file
from results import Goal, write

if TYPE_CHECKING:
    from onnxpress.kinds import Runner

PROFILES = ("rint", "tf", "device")
FASHION = ("fashion_conv", "fashion_depthwise")
FAKE_QUANT = "net_fake_quant_model.onnx"
FILES = {"ascend-onnx": "net_deploy_model.onnx", "ascend-pb": "net_quantized.pb"}


def tasks() -> dict[str, Task]:
    """Every network by name."""
    found = {network: fashion(network) for network in FASHION}
    pictures, labels = photos.labelled(SIZE)
    found["efficientnet_lite0"] = photographs("efficientnet_lite0", pictures, labels)
    for network in ("mobilenetv2", "resnet50"):
        found[network] = photographs(network, pictures[:4], None)
    return found


def measure(network: str, task: Task, folder: Path) -> list[dict[str, Any]]:
    """A row for every arithmetic."""
    import onnxpress
    import onnxpress.data
    from onnxpress import model_files
    from onnxpress.ascend import deploy_files
    from onnxpress.ascend.layers import layers
    from onnxpress.ascend.simulation.simulator import Simulator
    from onnxpress.measuring.comparing import compare
    from onnxpress.runtime import Session

    deployed = folder / FILES["ascend-onnx"]
    floating = onnxpress.convert(task.source, out=folder / "float.onnx").model
    result = onnxpress.compress(
        folder / "float.onnx", target="ascend", data=task.calibration, out=deployed, batch=task.batch, threads=1
    )
    narrow = {item.node for step in result.run.steps for item in step.notes.declined if "input channels" in item.reason}
    model = deploy_files.load(deployed)
    runners: dict[str, Runner] = {
        "QDQ in onnxruntime": Session(result.model, threads=1),
        "fake-quant file in onnxruntime": Session(model_files.load(folder / FAKE_QUANT), threads=1),
        **{profile: Simulator(model, profile, threads=1) for profile in PROFILES},
    }
    rows = []
    for name, runner in runners.items():
        samples = onnxpress.data.load(task.images, runners["rint"].inputs)
        found = compare(Session(floating, threads=1), runner, samples, labels=task.labels)
        rows.append(
            {
                "network": network,
                "arithmetic": name,
                "SQNR dB": found.outputs[0].sqnr_db,
                "top-1 % float": percent(found.accuracy_a),
                "top-1 %": percent(found.accuracy_b),
                "layers in int8": len(list(layers(model))),
                "left float for their few channels": len(narrow),
            }
        )
    return rows


def percent(share: float | None) -> float | None:
    """A share in per cent, None as it is."""
    return None if share is None else 100 * share


def child(*, model: str, backend: str, out: str) -> Cost:
    """Write a quantised model once, after a first time with a small one that brings the imports."""
    from onnxpress import model_files
    from onnxpress.kinds import Backend
    from onnxpress.registry import Registry

    emit = Registry().get(Backend, backend).emit
    small = Path(model).with_name("small.onnx")
    emit(model_files.load(small), Path(out).with_name(f"small_{Path(out).name}"), batch=1)
    cost = Cost(idle_mb=resident_mb())
    with cost.timed():
        emit(model_files.load(Path(model)), Path(out), batch=1)
    return cost


def costs(folder: Path) -> list[dict[str, Any]]:
    """A row for every format of a ResNet-50."""
    import onnxpress

    source = onnx_file("resnet50")
    qdq = folder / "resnet50-qdq.onnx"
    weights = source.stat().st_size / 1e6
    onnxpress.compress(source, target="ascend", random_data=True, out=qdq, step_options={"calibrate.samples": 2})
    small = DEMO / "models" / "fashion_depthwise"
    onnxpress.compress(
        small, target="ascend", random_data=True, out=folder / "small.onnx", step_options={"calibrate.samples": 2}
    )
    rows = []
    for backend, name in FILES.items():
        cost = in_child(__file__, {"model": str(qdq), "backend": backend, "out": str(folder / name)})
        grown = cost.peak_mb - cost.idle_mb
        rows.append(
            {"backend": backend, "CPU s": cost.cpu_seconds, "peak MB": grown, "peak / weights": grown / weights}
        )
    return rows


def goals(rows: list[dict[str, Any]], cost: list[dict[str, Any]]) -> list[Goal]:
    """What the target and its backends are held to."""
    lost = [
        Goal(f"points of accuracy that {row['network']} loses, profile {row['arithmetic']}", 0.3, round(points, 3))
        for row in rows
        if row["network"] in FASHION and row["arithmetic"] in PROFILES
        for points in [row["top-1 % float"] - row["top-1 %"]]
    ]
    written = [
        goal
        for row in cost
        for goal in (
            Goal(f"CPU seconds of ResNet-50, {row['backend']}", 2.0, row["CPU s"]),
            Goal(f"peak memory over the float weights, {row['backend']}", 3.0, row["peak / weights"]),
        )
    ]
    return [*lost, *written]


def main() -> None:
    """Measure every network, then the cost of writing one."""
    rows = []
    for network, task in tasks().items():
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(network, task, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        cost = costs(Path(folder))
    write("ascend", about=(__doc__ or "").strip(), rows=rows, goals=goals(rows, cost))


if __name__ == "__main__" and not run_child(child):
    main()

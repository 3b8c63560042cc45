"""Compress both demo classifiers to int8 with onnxpress, and print what that gave."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from onnxpress.cli.progress import progress
from onnxpress.kinds import Report
from onnxpress.registry import Registry
from onnxpress.workflow import Result, compress

DEMO = Path(__file__).resolve().parent
OUT = DEMO.parent / "out" / "demo"
NETWORKS = ("fashion_conv", "fashion_depthwise")


def run(network: str, registry: Registry) -> Result:
    """TensorFlow SavedModel in, verified int8 ONNX and its reports out."""
    result = compress(
        DEMO / "models" / network,
        recipe="int8",
        data=DEMO / "data" / "calibration.npz",
        evaluation=DEMO / "data" / "test.npz",
        labels=DEMO / "data" / "test-labels.npy",
        out=OUT / f"{network}-int8.onnx",
        bench=True,
        threads=1,
        registry=registry,
        progress=progress(),
    )
    for name, suffix in (("text", "txt"), ("json", "json")):
        text = registry.get(Report, name).render(result.run)
        (OUT / f"{network}.{suffix}").write_text(text, encoding="utf-8")
    return result


def table(results: dict[str, Result]) -> Table:
    """One row a network: what int8 changed."""
    shown = Table(title="float -> int8, Fashion-MNIST, 2,000 test images, onnxruntime on one CPU thread")
    for column in ("network", "MB", "size", "accuracy %", "SQNR", "latency ms", "speed"):
        shown.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for network, result in results.items():
        figures, timing = result.run.comparison, result.run.benchmark
        assert figures is not None and timing is not None and timing.b is not None and timing.ratio is not None
        assert result.run.size_before is not None and result.run.size_after is not None
        assert figures.accuracy_a is not None and figures.accuracy_b is not None
        before, after = result.run.size_before, result.run.size_after
        shown.add_row(
            network,
            f"{before / 1e6:.2f} -> {after / 1e6:.2f}",
            f"{after / before:.3f}x",
            f"{100 * figures.accuracy_a:.2f} -> {100 * figures.accuracy_b:.2f}",
            f"{figures.outputs[0].sqnr_db:.1f} dB",
            f"{timing.a.median_ms:.3f} -> {timing.b.median_ms:.3f}",
            f"{timing.ratio:.2f}x",
        )
    return shown


def main() -> None:
    """Run every network, then show one table, the reasons behind it, and where the reports are."""
    registry = Registry()
    console = Console(width=max(Console().width, 100))
    results = {network: run(network, registry) for network in NETWORKS}
    console.print(table(results))
    for network, result in results.items():
        for sentence in result.run.benchmark.explanation if result.run.benchmark else ():
            console.print(f"{network}: {sentence}", highlight=False)
    console.print(f"reports: {OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}/*.txt, *.json")


if __name__ == "__main__":
    main()

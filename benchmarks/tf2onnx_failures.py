"""What tf2onnx is known to get wrong, and what becomes of it here: the same small sources through both, one judge.

tf2onnx as it comes, by the function or the command that its users call, opset 17; `onnxpress.convert` with its default
recipe.  A conversion is right if it does not raise, the ONNX checker accepts the file, onnxruntime runs it without
graph optimisation, the numbers are TensorFlow's to 1e-5 of the largest output, and what is counted is as many as there
should be; where ONNX has no words for the source, it is right to refuse it.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from failures import graphs, layers, quantization
from failures.case import Case, Converter, Sample, run_command
from failures.judging import Verdict, judge
from results import Goal, quick, write

CASES = (*layers.CASES, *quantization.CASES, *graphs.CASES)


def own(case: Case, sample: Sample) -> Converter:
    """How onnxpress converts: by its command where tf2onnx's exit code is the point, too."""

    def convert(out: Path) -> int | None:
        if case.refused and isinstance(sample.source, Path):
            return run_command("-m", "onnxpress.cli", "convert", sample.source, "--out", out)
        import onnxpress

        onnxpress.convert(sample.source, out=out)
        return None

    return convert


def both(case: Case, folder: Path) -> tuple[Verdict, Verdict]:
    """The verdicts over tf2onnx and over onnxpress."""
    sample = case.make(folder)
    return (
        judge(case, sample, sample.stock, folder / "tf2onnx.onnx"),
        judge(case, sample, own(case, sample), folder / "onnxpress.onnx"),
    )


def row(case: Case, stock: Verdict, ours: Verdict) -> dict[str, Any]:
    """A line of the table."""
    return {
        "case": case.name,
        "tf2onnx": stock.text,
        "onnxpress": ours.text,
        "tf2onnx's difference": stock.difference,
        "onnxpress's difference": ours.difference,
        "counted": f"{case.counted}, {case.wanted}" if case.count else None,
        "in tf2onnx's": stock.count,
        "in onnxpress's": ours.count,
    }


def main() -> None:
    """Run every case."""
    from onnxpress_frontends.tensorflow_import import import_tensorflow

    import_tensorflow()
    logging.disable(logging.ERROR)
    rows, goals = [], []
    for case in CASES[:: 8 if quick() else 1]:
        with tempfile.TemporaryDirectory() as folder:
            stock, ours = both(case, Path(folder))
        rows.append(row(case, stock, ours))
        goals.append(Goal(f"{case.name}: right", 1, int(ours.right), at_least=True))
    write("tf2onnx_failures", about=__doc__ or "", rows=rows, goals=goals)


if __name__ == "__main__":
    main()

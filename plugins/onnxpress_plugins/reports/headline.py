"""The rows everybody looks at first: size, accuracy, latency and fidelity, before and after."""

from __future__ import annotations

import math
from collections.abc import Iterator

from onnxpress.records import Benchmark, Comparison, Run

Row = tuple[str, str, str, str]


def headline(run: Run) -> list[Row]:
    """``(what, before, after, change)`` of every figure that was measured."""
    rows: list[Row] = []
    if run.size_before and run.size_after is not None:
        rows.append(
            ("size", _size(run.size_before), _size(run.size_after), f"{run.size_after / run.size_before:.3f} x")
        )
    if run.comparison is not None:
        rows += _fidelity(run.comparison)
    if run.benchmark is not None:
        rows += _latency(run.benchmark)
    return rows


def decibels(value: float) -> str:
    """An SQNR as people read it; infinite means that nothing changed."""
    return "identical" if value == math.inf else f"{value:.1f} dB"


def _fidelity(comparison: Comparison) -> Iterator[Row]:
    of = f" ({comparison.samples} samples)"
    before, after = comparison.accuracy_a, comparison.accuracy_b
    if before is not None and after is not None:
        yield f"accuracy{of}", f"{before:.2%}", f"{after:.2%}", f"{100 * (after - before):+.2f} points"
    ranked = [output.top1_agreement for output in comparison.outputs if output.top1_agreement is not None]
    if ranked:
        yield f"same best class{of}", "", f"{min(ranked):.2%}", ""
    if comparison.outputs:
        worst = min(comparison.outputs, key=lambda output: output.sqnr_db)
        name = f" of {worst.name}, the worst output" if len(comparison.outputs) > 1 else ""
        yield f"SQNR{name}", "", decibels(worst.sqnr_db), ""
        yield f"largest error{name}", "", f"{worst.max_abs:.3g}", f"{worst.max_relative:.2%} of the peak"


def _latency(benchmark: Benchmark) -> Iterator[Row]:
    threads = "1 thread" if benchmark.threads == 1 else f"{benchmark.threads} threads"
    where = f" ({threads}, batch {benchmark.batch})"
    a, b, ratio = benchmark.a, benchmark.b, benchmark.ratio
    yield (
        f"latency, median{where}",
        f"{a.median_ms:.3g} ms",
        f"{b.median_ms:.3g} ms" if b is not None else "",
        f"{ratio:.2f} x as fast" if ratio is not None else "",
    )
    fastest = f"{a.minimum_ms / b.minimum_ms:.2f} x as fast" if b is not None and b.minimum_ms else ""
    yield "latency, minimum", f"{a.minimum_ms:.3g} ms", f"{b.minimum_ms:.3g} ms" if b is not None else "", fastest


def _size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return f"{count} B"

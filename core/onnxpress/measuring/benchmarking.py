"""Latency of one model, or of two against each other, and what onnxruntime made of each.

Both models run in one process with the same number of threads, in turns, so that whatever else the machine does falls
on both alike; the median is compared, the minimum is shown as the noise-free bound.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from onnxpress.kinds import Progress, Silent
from onnxpress.measuring.explaining import explain
from onnxpress.measuring.kernels import CATEGORIES, QUANTIZE, Kernel, kernels
from onnxpress.measuring.matching import batch_size, match
from onnxpress.records import Benchmark, FloatNode, Kernels, Latency
from onnxpress.runtime import Session

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.kinds import Feeds

_SECONDS = 3.0
_CPU_INFO = Path("/proc/cpuinfo")


def benchmark(
    a: ir.Model | Path,
    b: ir.Model | Path | None = None,
    *,
    feeds: Feeds,
    threads: int = 1,
    runs: int | None = None,
    warmup: int = 3,
    progress: Progress | None = None,
) -> Benchmark:
    """Time `a`, or `a` against `b`, in onnxruntime with every optimisation on.

    Args:
        a: The first model or its file.
        b: The second; its inputs are matched with those of `a` by name, else by position.
        feeds: One batch of inputs for `a`.
        threads: Intra-op threads.
        runs: Timed runs of each model; None takes as many as fit in three seconds, 10 to 500.
        warmup: Runs of each model before.
        progress: Told of every timed run.

    Raises:
        InvalidModel: onnxruntime rejects a model.
        UnsupportedModel: The inputs of the models do not correspond.
        InvalidData: A model cannot run on `feeds`.
    """
    models = [a] if b is None else [a, b]
    sessions = [Session(model, optimize=True, threads=threads) for model in models]
    names = [match(sessions[0].inputs, session.inputs, "input") for session in sessions]
    inputs = [{own[name]: array for name, array in feeds.items()} for own in names]
    times = _interleave(
        [_call(*pair) for pair in zip(sessions, inputs, strict=True)], runs, warmup, progress or Silent()
    )
    latencies = [Latency(median_ms=median(own) * 1000, minimum_ms=min(own) * 1000) for own in times]
    made = [
        summarize(kernels(model, own, threads=threads), latency.median_ms)
        for model, own, latency in zip(models, inputs, latencies, strict=True)
    ]
    measured = Benchmark(
        threads=threads,
        batch=batch_size(feeds),
        runs=len(times[0]),
        a=latencies[0],
        kernels_a=made[0],
        b=latencies[1] if b is not None else None,
        ratio=latencies[0].median_ms / latencies[1].median_ms if b is not None else None,
        kernels_b=made[1] if b is not None else None,
        warnings=saturation_warning() if any(kernel.counts["integer"] for kernel in made) else (),
    )
    return replace(measured, explanation=explain(measured))


def summarize(nodes: Sequence[Kernel], latency_ms: float) -> Kernels:
    """The nodes of one model by category; of a quantised one also the float nodes, with the reason.

    Profiling slows every node down, so the profiled times are scaled to add up to `latency_ms`.
    """
    scale = latency_ms / (sum(node.milliseconds for node in nodes) or 1.0)
    quantized = any(node.category == "integer" or node.node.op_type in QUANTIZE for node in nodes)
    floats = [
        FloatNode(
            node=node.node.name or node.node.outputs[0].name or "",
            op_type=node.node.op_type,
            reason=node.reason,
            milliseconds=node.milliseconds * scale,
            macs=node.macs,
        )
        for node in nodes
        if quantized and node.category == "float"
    ]
    products = [node for node in nodes if node.macs]
    return Kernels(
        counts={category: sum(node.category == category for node in nodes) for category in CATEGORIES},
        milliseconds={category: _milliseconds(nodes, category) * scale for category in CATEGORIES},
        macs={category: sum(node.macs for node in nodes if node.category == category) for category in CATEGORIES},
        product_ms={category: _milliseconds(products, category) * scale for category in CATEGORIES},
        depthwise_ms=sum(node.milliseconds for node in nodes if node.depthwise) * scale,
        operators=dict(Counter(node.node.op_type for node in nodes).most_common()),
        float_nodes=tuple(sorted(floats, key=lambda node: -node.milliseconds)),
    )


def saturation_warning(cpu_info: Path = _CPU_INFO) -> tuple[str, ...]:
    """A warning when this is an x86 processor whose int8 products are summed in 16 bits; empty elsewhere."""
    try:
        flags = next((line for line in cpu_info.read_text().splitlines() if line.startswith("flags")), "").split()
    except OSError:
        return ()
    if "avx2" not in flags or any("vnni" in flag for flag in flags):
        return ()
    return (
        "this processor has no VNNI: onnxruntime sums int8 products in 16 bits here, which can saturate, so that "
        "accuracy may be lower than elsewhere; set session.x64quantprecision=1 to avoid it",
    )


def _interleave(
    calls: Sequence[Callable[[], float]], runs: int | None, warmup: int, progress: Progress
) -> list[list[float]]:
    first = [min(call() for _ in range(max(warmup, 1))) for call in calls]
    count = runs if runs is not None else max(10, min(500, int(_SECONDS / max(sum(first), 1e-6))))
    times: list[list[float]] = [[] for _ in calls]
    with progress.task("bench", count) as advance:
        for run in range(count):
            order = range(len(calls)) if run % 2 == 0 else reversed(range(len(calls)))
            for index in order:
                times[index].append(calls[index]())
            advance()
    return times


def _call(session: Session, feeds: Feeds) -> Callable[[], float]:
    def timed() -> float:
        start = time.perf_counter()
        session.run(feeds)
        return time.perf_counter() - start

    return timed


def _milliseconds(nodes: Sequence[Kernel], category: str) -> float:
    return sum(node.milliseconds for node in nodes if node.category == category)

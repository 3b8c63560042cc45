"""What `compare`, `bench` and `inspect` print for people."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from onnxpress.records import Benchmark, Comparison, Inspection, Kernels, PortShape, Simulation

_KINDS = ("integer", "float", "convert", "other")


def comparison_table(comparison: Comparison) -> str:
    """One row an output, then the accuracies."""
    columns = ("output", "max abs", "mean abs", "max relative", "SQNR", "cosine", "same top-1")
    rows = [
        (
            output.name,
            f"{output.max_abs:.3g}",
            f"{output.mean_abs:.3g}",
            f"{output.max_relative:.3g}",
            f"{output.sqnr_db:.1f} dB",
            f"{output.cosine:.6f}",
            "" if output.top1_agreement is None else f"{output.top1_agreement:.2%}",
        )
        for output in comparison.outputs
    ]
    lines = [_render(columns, rows), f"samples: {comparison.samples}"]
    if comparison.accuracy_a is not None and comparison.accuracy_b is not None:
        lines.append(f"accuracy: A {comparison.accuracy_a:.2%}, B {comparison.accuracy_b:.2%}")
    return "\n".join(lines)


def simulation_table(simulation: Simulation) -> str:
    """What ran how, and a comparison with each reference, or the figures that stand without one."""
    lines = [f"profile {simulation.profile}, layers in integers: {simulation.layers}"]
    if simulation.rolled_back:
        lines.append(f"rolled back to floating point: {', '.join(simulation.rolled_back)}")
    for name, comparison in simulation.comparisons.items():
        lines.append(f"\nB against A, {name}\n{comparison_table(comparison)}")
    if not simulation.comparisons:
        lines.append(f"samples: {simulation.samples}")
        lines += [f"accuracy: {simulation.accuracy:.2%}"] if simulation.accuracy is not None else []
    for name, number in simulation.overflows.items():
        lines.append(f"warning: {number} accumulators of {name} left 32 bits and wrapped around")
    return "\n".join([*lines, *([f"outputs: {simulation.outputs}"] if simulation.outputs else [])])


def benchmark_table(benchmark: Benchmark) -> str:
    """One row a model: its latency, and what onnxruntime made of it; then what explains the ratio."""
    rows = [_latency_row("A", benchmark.a.median_ms, benchmark.a.minimum_ms, benchmark.kernels_a)]
    if benchmark.b is not None and benchmark.kernels_b is not None:
        rows.append(_latency_row("B", benchmark.b.median_ms, benchmark.b.minimum_ms, benchmark.kernels_b))
    columns = ("model", "median", "minimum", *(f"{kind} nodes" for kind in _KINDS))
    lines = [_render(columns, rows)]
    lines.append(f"batch {benchmark.batch}, {benchmark.threads} thread(s), {benchmark.runs} runs, interleaved")
    if benchmark.ratio is not None:
        lines.append(f"B is {benchmark.ratio:.2f} times as fast as A")
    for node in benchmark.kernels_b.float_nodes[:10] if benchmark.kernels_b is not None else ():
        lines.append(f"float in B: {node.node} ({node.op_type}, {node.milliseconds:.3f} ms): {node.reason}")
    return "\n".join([*lines, *benchmark.explanation, *(f"warning: {line}" for line in benchmark.warnings)])


def inspection_table(inspection: Inspection, *, nodes: bool = False) -> str:
    """Ports, figures, and operators by number; then every node, if wanted."""
    ports = [_port_row("input", port) for port in inspection.inputs]
    ports += [_port_row("output", port) for port in inspection.outputs]
    unknown = f" ({inspection.macs_unknown} nodes unknown)" if inspection.macs_unknown else ""
    figures = [
        ("parameters", f"{inspection.parameters:,}"),
        ("weights", f"{inspection.bytes:,} bytes"),
        ("MACs per sample", f"{inspection.macs:,}{unknown}"),
        ("quantised share of MACs", f"{inspection.quantized_share:.1%}"),
        ("opsets", ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in inspection.opsets.items())),
        ("producer", inspection.producer or "unknown"),
    ]
    listed = [f"{name} ({op})" for name, op in zip(inspection.node_names, inspection.node_ops, strict=True)]
    operators = [(name, str(count)) for name, count in inspection.operators.items()]
    return "\n".join(
        (
            _render(("", "name", "type", "shape"), ports),
            _render(("", ""), figures),
            _render((f"{inspection.nodes} nodes", "number"), operators),
            *(listed if nodes else ()),
        )
    )


def _latency_row(name: str, median: float, minimum: float, kernels: Kernels) -> tuple[str, ...]:
    counts = (str(kernels.counts.get(kind, 0)) for kind in _KINDS)
    return (name, f"{median:.3f} ms", f"{minimum:.3f} ms", *counts)


def _port_row(role: str, port: PortShape) -> tuple[str, ...]:
    shape = "unknown" if port.shape is None else "[" + ", ".join(str(size or "?") for size in port.shape) + "]"
    return (role, port.name, port.dtype, shape)


def _render(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = Table(*columns, box=None, pad_edge=False, show_header=any(columns))
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=120, color_system=None, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"

"""A run as plain text for people: the figures first, then what every step did, what it left alone, and why."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from onnxpress.kinds import Report
from onnxpress.records import Declined, Kernels, Run, StepRecord
from onnxpress_plugins.reports.headline import decibels, headline

WIDTH = 100
_FIRST_NODES = 3
_FIRST_LAYERS = 20
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators with weights, of which more are named: those are what people look for."""


def render(run: Run) -> str:
    """The run as text of `WIDTH` columns, without colour."""
    text = io.StringIO()
    console = Console(
        file=text, width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False, legacy_windows=False
    )
    for section in _sections(run):
        console.print(section)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _sections(run: Run) -> Iterator[RenderableType]:
    if run.random_data:
        yield Text(
            "!!! RANDOM DATA: the ranges were calibrated on noise and mean nothing. This model is good for a smoke run "
            "only; never judge or ship it. !!!\n"
        )
    yield Text(f"{run.source or 'model'} -> {', '.join(run.files) or 'not written'}\n")
    if rows := headline(run):
        yield _section("Result", _table(("", "before", "after", "change"), rows, right=True))
    if run.comparison is not None and len(run.comparison.outputs) > 1:
        yield _section("Outputs", _outputs(run))
    if run.steps:
        rows = [_step(step) for step in run.steps]
        rows.append(("", "", "", f"{sum(step.seconds for step in run.steps):.2f} s"))
        yield _section("Steps", _table(("step", "what it did", "nodes", "time"), rows))
    for step in run.steps:
        if step.notes.declined:
            yield _section(f"Left alone by {step.name}", _declined(step.notes.declined))
    yield from _speed(run)
    warnings = [*run.warnings, *(f"{step.name}: {line}" for step in run.steps for line in step.notes.warnings)]
    if warnings:
        yield _section("Warnings", _lines(warnings))
    if run.recipe:
        yield _section("Recipe", Text(run.recipe.strip()))
    if run.versions:
        yield _section("Versions", Text(", ".join(f"{name} {version}" for name, version in run.versions.items())))


def _speed(run: Run) -> Iterator[RenderableType]:
    if run.benchmark is None:
        return
    after = run.benchmark.kernels_b or run.benchmark.kernels_a
    yield _section("What onnxruntime runs", _kernels(after))
    if run.benchmark.explanation:
        yield _section("Why it is not faster (A: before, B: after)", _lines(run.benchmark.explanation))
    if run.benchmark.warnings:
        yield _section("This machine", _lines(run.benchmark.warnings))


def _kernels(kernels: Kernels) -> RenderableType:
    total = sum(kernels.milliseconds.values()) or 1.0
    macs = sum(kernels.macs.values()) or 1
    rows = [
        (kind, str(count), f"{kernels.milliseconds[kind] / total:.0%}", f"{kernels.macs[kind] / macs:.0%}")
        for kind, count in kernels.counts.items()
        if count
    ]
    table = _table(("kind", "nodes", "of the time", "of the MACs"), rows, right=True)
    floats = _grouped([(node.node, node.op_type, node.reason) for node in kernels.float_nodes])
    return Group(table, *([Text("\nstayed float:"), _lines(floats)] if floats else []))


def _step(step: StepRecord) -> tuple[str, str, str, str]:
    options = ", ".join(f"{name}={value}" for name, value in step.options.items() if value not in (None, (), []))
    done = [f"{number} {what}" for what, number in step.notes.counts.items()]
    done += [f"{len(step.notes.declined)} left alone"] if step.notes.declined else []
    nodes = f"{step.nodes_before} -> {step.nodes_after}" if step.modified else str(step.nodes_after)
    return f"{step.name}\n({options})" if options else step.name, "\n".join(done) or "-", nodes, f"{step.seconds:.2f} s"


def _declined(declined: Sequence[Declined]) -> RenderableType:
    return _lines(_grouped([(entry.node, entry.op_type, entry.reason) for entry in declined]))


def _grouped(entries: Iterable[tuple[str, str, str]]) -> list[str]:
    """``(node, operator, reason)`` as one line a reason and operator: how many, and the first nodes; largest first."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node, op_type, reason in entries:
        groups[op_type, reason].append(node)
    lines = []
    for (op_type, reason), nodes in sorted(groups.items(), key=lambda item: -len(item[1])):
        first = _FIRST_LAYERS if op_type in _LAYERS else _FIRST_NODES
        more = ", ..." if len(nodes) > first else ""
        lines.append(f"{len(nodes)} x {op_type}: {reason} ({', '.join(nodes[:first])}{more})")
    return lines


def _outputs(run: Run) -> RenderableType:
    columns = ("output", "max error", "mean error", "SQNR", "cosine")
    rows = [
        (
            output.name,
            f"{output.max_abs:.3g}",
            f"{output.mean_abs:.3g}",
            decibels(output.sqnr_db),
            f"{output.cosine:.6f}",
        )
        for output in (run.comparison.outputs if run.comparison else ())
    ]
    return _table(columns, rows, right=True)


def _section(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(title), Padding(body, (0, 0, 1, 2)))


def _lines(lines: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for line in lines:
        table.add_row("-", line)
    return table


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if right and index else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


TEXT = Report(
    name="text", summary="Figures, steps, what was left alone and why, for people.", render=render, suffixes=(".txt",)
)

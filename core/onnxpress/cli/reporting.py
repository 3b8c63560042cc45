"""What a command prints: a report of a run, or any record as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import click

from onnxpress.errors import InvalidOption
from onnxpress.files import atomic, check_place
from onnxpress.kinds import Report
from onnxpress.records import Run
from onnxpress.registry import Registry

_REPORTS = {".json": "json", ".txt": "text"}


def check_report(report: Path | None, out: Path | None) -> None:
    """Refuse a report file that could not be written as asked, before anything slow is done.

    Raises:
        InvalidOption: The suffix is neither ``.json`` nor ``.txt``, or the report would replace the model.
        OnnxpressError: The place cannot be written.
    """
    if report is None:
        return
    if report.suffix not in _REPORTS:
        raise InvalidOption(f"--report writes {' or '.join(_REPORTS)}, not {report.name!r}")
    if out is not None and report.absolute() == out.absolute():
        raise InvalidOption(f"--report and --out are the same file, {out}")
    check_place(report)


def show(run: Run, registry: Registry, *, as_json: bool, report: Path | None) -> None:
    """Print a run, and write it to `report` too."""
    click.echo(registry.get(Report, "json" if as_json else "text").render(run).rstrip("\n"))
    if report is not None:
        with atomic(report) as staged:
            staged.write_text(registry.get(Report, _REPORTS[report.suffix]).render(run), encoding="utf-8")
        click.echo(f"report: {report}", err=True)


def dump(record: Any) -> str:
    """A record as JSON text; what is infinite or not a number becomes null."""
    plain = dataclasses.asdict(record) if dataclasses.is_dataclass(record) and not isinstance(record, type) else record
    return json.dumps(_finite(plain), indent=1, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

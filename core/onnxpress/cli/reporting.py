"""What a command prints: a report of a run, or any record as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import click

from onnxpress.files import atomic
from onnxpress.kinds import Report
from onnxpress.records import Run
from onnxpress.registry import Registry


def show(run: Run, registry: Registry, *, as_json: bool, report: Path | None) -> None:
    """Print a run, and write it to `report` too: JSON when its suffix is ``.json``, else text."""
    click.echo(registry.get(Report, "json" if as_json else "text").render(run).rstrip("\n"))
    if report is not None:
        with atomic(report) as staged:
            kind = "json" if report.suffix == ".json" else "text"
            staged.write_text(registry.get(Report, kind).render(run), encoding="utf-8")
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

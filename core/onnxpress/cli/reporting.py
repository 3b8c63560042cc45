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


def check_report(report: Path | None, out: Path | None, registry: Registry) -> None:
    """Refuse a report file that could not be written as asked, before anything slow is done.

    Raises:
        InvalidOption: No report has its suffix, or it would replace the model.
        OnnxpressError: The place cannot be written.
    """
    if report is None:
        return
    _find_report(report, registry)
    if out is not None and report.absolute() == out.absolute():
        raise InvalidOption(f"--report and --out are the same file, {out}")
    check_place(report)


def show(run: Run, registry: Registry, *, as_json: bool, report: Path | None) -> None:
    """Print a run, and write it to `report` too."""
    click.echo(registry.get(Report, "json" if as_json else "text").render(run).rstrip("\n"))
    if report is not None:
        with atomic(report) as staged:
            staged.write_text(_find_report(report, registry).render(run), encoding="utf-8")
        click.echo(f"report: {report}", err=True)


def _find_report(path: Path, registry: Registry) -> Report:
    offers = registry.all(Report).values()
    for offer in offers:
        if path.suffix in offer.suffixes:
            return offer
    known = [suffix for offer in offers for suffix in offer.suffixes]
    raise InvalidOption(f"--report writes {' or '.join(known)}, not {path.name!r}")


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

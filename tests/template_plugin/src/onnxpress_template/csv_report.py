"""One line of CSV per step, for a spreadsheet."""

from __future__ import annotations

import csv
import io

from onnxpress.kinds import Report
from onnxpress.records import Run


def _render(run: Run) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "modified", "seconds", "nodes before", "nodes after", "declined"])
    for step in run.steps:
        seconds = f"{step.seconds:.3f}"
        declined = len(step.notes.declined)
        writer.writerow([step.name, step.modified, seconds, step.nodes_before, step.nodes_after, declined])
    return text.getvalue()


CSV = Report(name="csv", summary="One line of CSV per step", render=_render, suffixes=(".csv",))

"""What a benchmark found: a table, and the goals it is held to, written as JSON and as Markdown."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("onnxpress", "onnxruntime", "onnx", "onnx-ir", "tensorflow", "keras", "tf2onnx", "numpy")


@dataclass(frozen=True)
class Goal:
    """A promise and what became of it: `measured` must be at most, or at least, `bound`."""

    what: str
    bound: float
    measured: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def quick() -> bool:
    """Whether ``--quick`` asks for a smoke run, whose figures mean nothing."""
    return "--quick" in sys.argv[1:]


def write(name: str, *, about: str, rows: Sequence[Mapping[str, Any]], goals: Sequence[Goal] = ()) -> None:
    """Print the table of `rows` and the goals; a full run also writes ``results/<name>.json`` and ``.md``."""
    machine = {"processor": _processor(), "python": platform.python_version()}
    versions = {package: version(package) for package in PACKAGES}
    text = "\n\n".join([f"# {name}", about, _table(rows), *_goals(goals), _foot(machine, versions)]) + "\n"
    print(text)
    if quick():
        return
    FOLDER.mkdir(exist_ok=True)
    content = {
        "name": name,
        "about": about,
        **machine,
        "versions": versions,
        "rows": list(rows),
        "goals": [asdict(goal) | {"met": goal.met} for goal in goals],
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _goals(goals: Sequence[Goal]) -> list[str]:
    if not goals:
        return []
    return [
        _table(
            [
                {
                    "goal": goal.what,
                    "bound": f"{'>=' if goal.at_least else '<='} {goal.bound:.4g}",
                    "measured": goal.measured,
                    "met": "yes" if goal.met else "NO",
                }
                for goal in goals
            ]
        )
    ]


def _foot(machine: Mapping[str, str], versions: Mapping[str, str]) -> str:
    packages = ", ".join(f"{package} {number}" for package, number in versions.items())
    return f"{machine['processor']}; Python {machine['python']}; {packages}."


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()

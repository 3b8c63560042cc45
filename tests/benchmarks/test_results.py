from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import results
from results import Goal

ROWS = [{"model": "float", "ms": 123.4}, {"model": "int8", "ms": 41.0, "SQNR dB": 21.25}]
GOALS = [Goal("SQNR in dB", 21.0, 21.25, at_least=True), Goal("ms", 40.0, 41.0)]


@pytest.mark.parametrize(
    ("measured", "at_least", "met"), [(2.0, True, True), (2.0, False, True), (1.9, True, False), (2.1, False, False)]
)
def test_a_goal_is_met_up_to_and_with_its_bound(measured: float, at_least: bool, met: bool) -> None:
    assert Goal("what", 2.0, measured, at_least=at_least).met is met


def test_writes_the_table_and_says_which_goals_were_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench"])
    results.write("name", about="about", rows=ROWS, goals=GOALS)
    text = (tmp_path / "name.md").read_text()
    assert "| model | ms | SQNR dB |\n| --- | --- | --- |\n| float | 123 |  |\n| int8 | 41 | 21.2 |" in text
    assert "| SQNR in dB | >= 21 | 21.2 | yes |\n| ms | <= 40 | 41 | NO |" in text
    content = json.loads((tmp_path / "name.json").read_text())
    assert content["rows"] == ROWS
    assert [goal["met"] for goal in content["goals"]] == [True, False]


def test_a_smoke_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])
    results.write("name", about="about", rows=ROWS)
    assert list(tmp_path.iterdir()) == []

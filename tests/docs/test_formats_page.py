"""Pages of docs promise what a test shows, quote messages and name options that there are."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from onnxpress.cli import cli
from onnxpress.kinds import Backend
from onnxpress.options import schema
from onnxpress.registry import Registry

ROOT = Path(__file__).parents[2]
PAGE, INTERCHANGE, ASCEND, DECOMPOSITION = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("formats", "interchange", "ascend", "decomposition")
)
PAGES = "\n".join([PAGE, INTERCHANGE, ASCEND, DECOMPOSITION])
HEADS = (
    "| ---",
    "| source |",
    "| what |",
    "| output |",
    "| mode |",
    "| `--precision` |",
    "| AMCT |",
    "| layer |",
    "| profile |",
    "| form |",
    "| `policy` |",
    "| field |",
)
ROWS = [line for line in PAGES.splitlines() if line.startswith("| ") and not line.startswith(HEADS)]
LINK = re.compile(r"\[([^\]]+)\]\(\.\./(tests/[^)]+)\)")
LINKS = sorted(set(LINK.findall(PAGES)))
MESSAGES = re.findall(r"^\|[^|]+\| `([^`|]+)` \|", PAGE.partition("## Refusals")[2], re.MULTILINE)


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_ends_with_its_tests(row: str) -> None:
    assert LINK.search(row.split(" | ")[-1]), row


@pytest.mark.parametrize(("words", "path"), LINKS)
def test_every_test_is_there(words: str, path: str) -> None:
    name = f"test_{words.replace(' ', '_')}"
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def texts() -> list[re.Pattern[str]]:
    """Every text of the code that has spaces, with a gap for what is put in."""
    found = []
    for folder in ("frontends", "core"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in node.values]
                    if sum(len(part) for part in parts if part != ".+") > 20:
                        found.append(re.compile("".join(parts)))
    return found


TEXTS = texts()


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_the_code_s(message: str) -> None:
    assert any(text.fullmatch(message) for text in TEXTS)


def test_there_is_something_to_check() -> None:
    assert len(ROWS) >= 35 and len(LINKS) >= 60 and len(MESSAGES) >= 10


def test_every_option_of_an_example_exists() -> None:
    examples = "".join(re.findall(r"```console\n(.*?)```", PAGES, re.DOTALL))
    ours = "".join(re.findall(r"\$ onnxpress (?:.*\\\n)*.*", examples))
    options = set(re.findall(r"--[a-z-]+|(?<= )-o", ours))
    assert options >= {"--signature", "--inputs", "--outputs", "--allow-custom-objects", "--nhwc", "--precision"}
    commands = ("convert", "compress", "compare", "simulate", "calibrate")
    shown = "".join(CliRunner().invoke(cli, [command, "--help"]).output for command in commands)
    assert all(re.search(rf"(?<![\w-]){option}\b", shown) for option in options)


def test_every_option_of_a_backend_is_in_its_row() -> None:
    for name, backend in Registry().all(Backend).items():
        row = next((row for row in ROWS if row.startswith(f"| `{name}`")), None)
        assert (row is None) == (name == "onnx"), name
        for option in schema(backend.emit) if row else ():
            assert f"`--{option.name.replace('_', '-')}`" in row.split(" | ")[1]


def test_the_interchange_page_holds_the_last_results(generated: ModuleType) -> None:
    page = generated.on_page_markdown(INTERCHANGE)
    assert "<!--" not in page
    for name, key in (("backend_suite", "suite"), ("round_trip", "network"), ("tensorflow_size", "network")):
        results = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
        assert results["rows"] and all(f"\n| {row[key]} | " in page for row in results["rows"])
    from backend_suite_exclusions import EXCLUDED, GAPS

    assert all(f"`{pattern}`" in page for pattern in (*EXCLUDED, *GAPS))


def test_the_benchmark_s_table_has_every_case_and_none_that_fails_here(generated: ModuleType) -> None:
    page = generated.on_page_markdown(PAGE)
    results = json.loads((ROOT / "benchmarks" / "results" / "tf2onnx_failures.json").read_text(encoding="utf-8"))
    from tf2onnx_failures import CASES

    assert [row["case"] for row in results["rows"]] == [case.name for case in CASES], "run the benchmark again"
    for row in results["rows"]:
        assert f"| {row['case']} | {row['tf2onnx'].replace(': ', ': `', 1)}" in page
        assert row["onnxpress"] == "right" or row["onnxpress"].startswith("refuses: "), row["case"]


def test_the_site_names_tests_without_linking_to_them(generated: ModuleType) -> None:
    page = generated.on_page_markdown("see [a module](../tests/frontends/opening/test_functions.py).")
    assert page == 'see <span title="tests/frontends/opening/test_functions.py">a module</span>.'

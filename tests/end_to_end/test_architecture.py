"""What no unit test sees: what is imported when, and how large files grow."""

from __future__ import annotations

import ast
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxpress.kinds import Backend, Frontend, Observer, Pass, Target
from onnxpress.options import bind, schema
from onnxpress.recipe import built_in
from onnxpress.registry import HOOKS, Registry

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("core", "plugins", "frontends", "backends")
SOURCES = sorted(path for root in SOURCE_ROOTS for path in (ROOT / root).rglob("*.py"))
HEAVY = ("tensorflow", "keras", "tf2onnx", "torch")


def modules_after(*arguments: str) -> set[str]:
    """Names of the modules that are loaded once the command has done its work."""
    script = (
        "import sys\n"
        "from onnxpress.cli import main\n"
        "try:\n"
        f"    main({list(arguments)!r})\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    environment = {**os.environ, "ONNXPRESS_DEBUG": "1"}  # or else another process does the work
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


class TestImports:
    def test_listing_the_plugins_loads_no_framework(self) -> None:
        loaded = modules_after("list")
        assert "onnxpress_frontends" in loaded
        assert loaded.isdisjoint(HEAVY)

    def test_listing_the_options_loads_no_framework(self) -> None:
        assert modules_after("list", "--options").isdisjoint(HEAVY)

    @pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
    def test_help_loads_no_model_library(self, arguments: tuple[str, ...]) -> None:
        assert modules_after(*arguments).isdisjoint({*HEAVY, "onnx", "onnx_ir", "onnxruntime", "numpy"})

    def test_listing_takes_less_than_a_second_and_a_half_of_cpu(self) -> None:
        def spent() -> float:
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime

        seconds = []
        for _ in range(3):
            before = spent()
            subprocess.run([sys.executable, "-m", "onnxpress.cli", "list"], check=True, capture_output=True)
            seconds.append(spent() - before)
        assert min(seconds) < 1.5, "seconds of processor time"

    def test_importing_the_package_costs_nothing_heavy(self) -> None:
        script = "import sys, onnxpress; print(*sys.modules)"
        loaded = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
        assert set(loaded).isdisjoint({*HEAVY, "onnx", "onnx_ir", "onnxruntime", "numpy", "click"})


class TestOffers:
    def test_every_plugin_loads(self) -> None:
        registry = Registry()
        assert all(registry.all(kind) is not None for kind in HOOKS)
        assert [plugin.reason for plugin in registry.broken] == []

    @pytest.mark.parametrize("name", sorted(built_in()))
    def test_the_options_of_a_built_in_recipe_bind(self, name: str) -> None:
        """An option that only the user can give, such as a file, is named in the summary."""
        registry, recipe = Registry(), built_in()[name]
        if recipe.target is not None:
            registry.get(Target, recipe.target)
        for step in recipe.steps:
            build = registry.get(Pass, step.name).build
            files = {option.name: Path("given") for option in schema(build) if option.required and option.type is Path}
            bind(f"pass {step.name!r}", build, {**files, **step.options})  # a file is the user's to name

    @pytest.mark.parametrize("kind", [Pass, Frontend, Backend, Observer])
    def test_there_is_something_of_every_kind_that_does_work(self, kind: type) -> None:
        assert Registry().all(kind)


class TestSizes:
    def test_no_file_passes_three_hundred_lines(self) -> None:
        assert {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := length(path)) > 300} == {}

    def test_the_median_file_is_short(self) -> None:
        assert statistics.median(map(length, SOURCES)) < 110

    def test_no_function_passes_fifty_lines(self) -> None:
        """The body is counted: a signature and its docstring list arguments."""
        assert {name: lines for path in SOURCES for name, lines in functions(path) if lines > 50} == {}

    def test_every_file_says_what_it_is(self) -> None:
        silent = [path for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
        assert silent == []

    def test_no_file_is_a_drawer(self) -> None:
        drawers = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
        assert [path for path in SOURCES if path.stem in drawers] == []


class TestHabits:
    def test_nothing_is_pickled(self) -> None:
        """Not even through numpy: an array file of a stranger must not run code."""
        banned = ("import pickle", "from pickle", "allow_pickle=True", "import joblib", "import dill")
        assert [path for path in SOURCES if any(word in path.read_text("utf-8") for word in banned)] == []

    def test_no_broad_except_swallows(self) -> None:
        """A handler of Exception raises, returns a failure that it was given, or lists what it caught."""
        assert [place for path in SOURCES for place in silent_handlers(path)] == []


def length(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[1:2] if ast.get_docstring(node) else node.body
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - first[0].lineno + 1 if first else 0


def silent_handlers(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or any(
            isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in ast.walk(node.type)
        )
        uses = {item.id for item in ast.walk(ast.Module(node.body, [])) if isinstance(item, ast.Name)}
        raises = any(isinstance(item, ast.Raise) for item in ast.walk(ast.Module(node.body, [])))
        if broad and not raises and node.name not in uses:
            yield f"{path.relative_to(ROOT)}:{node.lineno}"

"""The pass and the five tests that CONTRIBUTING.md shows are run as they stand."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
THE_PASS, THE_TESTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NAMES = re.findall(r"^def (test_\w+)", THE_TESTS, re.MULTILINE)


@pytest.fixture(scope="module")
def tests() -> Iterator[dict[str, Callable[[], None]]]:
    module = types.ModuleType("onnxpress_plugins.double_negation")
    sys.modules[module.__name__] = module
    try:
        exec(compile(THE_PASS, "the pass of CONTRIBUTING.md", "exec"), vars(module))
        found: dict[str, Callable[[], None]] = {}
        exec(compile(THE_TESTS, "the tests of CONTRIBUTING.md", "exec"), found)
        yield found
    finally:
        del sys.modules[module.__name__]


def test_there_are_five() -> None:
    assert len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_sample(name: str, tests: dict[str, Callable[[], None]]) -> None:
    tests[name]()


def test_every_path_and_command_exists() -> None:
    root = Path(__file__).parents[2]
    for name in ("docs/plugins.md", "tests/template_plugin", "core/onnxpress/recipes", "CHANGELOG.md"):
        assert name in PAGE
        assert (root / name).exists()
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^\$ make ([\w-]+)", PAGE, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

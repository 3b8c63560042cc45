"""A stranger's plugin: built, installed and used in an environment of its own, beside the project's packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress import model_files
from onnxpress.testing import assert_equivalent, model

FOLDER = Path(__file__).parents[1] / "template_plugin"
RECIPE = '[[step]]\npass = "merge-scales"\nonly_scalars = false\n'
CHAIN = """agraph (float[N,4] x) => (float[N,4] y) <float[4] a = {1,2,3,4}, float b = {0.1}> {
    h = Mul(x, a)
    y = Mul(b, h)
}"""


class Environment:
    """A virtual environment that sees the packages of the running one; what is installed in it stays in it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        (packages,) = folder.glob("lib/python*/site-packages")
        theirs = sysconfig.get_paths()["purelib"]
        (packages / "project.pth").write_text(f"import site; site.addsitedir({theirs!r})\n")

    def run(self, *arguments: object, cwd: Path) -> str:
        return run(self.python, *arguments, cwd=cwd)


def run(python: Path | str, *arguments: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(python), *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the plugin's sources, as a stranger has them."""
    return Path(shutil.copytree(FOLDER, tmp_path_factory.mktemp("stranger") / "plugin"))


@pytest.fixture(scope="module")
def environment(source: Path) -> Environment:
    made = Environment(source.parent / "venv")
    made.run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", source), cwd=source
    )
    return made


def listing(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plugins by name, and offers by kind, of ``onnxpress list --json``."""
    document = json.loads(text)
    return {plugin["name"]: plugin for plugin in document["plugins"]}, document["offers"]


def test_it_is_listed_with_everything_it_offers(environment: Environment, tmp_path: Path) -> None:
    plugins, offers = listing(environment.run("-m", "onnxpress.cli", "list", "--json", cwd=tmp_path))
    assert plugins["template"] == {"name": "template", "source": "onnxpress-template 0.1.0", "error": None}
    theirs = {
        kind: [name for name, offer in known.items() if offer["plugin"] == "template"] for kind, known in offers.items()
    }
    assert theirs == {
        "frontend": ["onnx-text"],
        "pass": ["merge-scales"],
        "observer": ["absolute-maximum"],
        "target": ["toy-npu"],
        "backend": ["onnx-text"],
        "report": ["csv"],
    }
    assert offers["pass"]["merge-scales"]["options"] == ["only_scalars: bool = False"]
    assert {"plugins", "frontends", "backends"} <= set(plugins)


def test_its_pass_runs_in_a_recipe(environment: Environment, tmp_path: Path) -> None:
    model_files.save(model(CHAIN), tmp_path / "model.onnx")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    report = environment.run(
        *("-m", "onnxpress.cli", "compress", "model.onnx", "--recipe", "recipe.toml"),
        *("-o", "smaller.onnx", "--no-bench", "--json"),
        cwd=tmp_path,
    )
    after = model_files.load(tmp_path / "smaller.onnx")
    assert [node.op_type for node in after.graph] == ["Mul"]
    assert_equivalent(model(CHAIN), after, {"x": np.ones((2, 4), np.float32)}, rtol=2e-7, atol=0)
    (step,) = json.loads(report)["steps"]
    assert step["notes"]["counts"] == {"Mul merged into the next Mul": 1}
    assert step["notes"]["details"] == {"bytes of weights": [20, 16]}


def test_its_formats_are_read_and_written(environment: Environment, tmp_path: Path) -> None:
    model_files.save(model(CHAIN), tmp_path / "model.onnx")
    convert = "-m", "onnxpress.cli", "convert"
    environment.run(*convert, "model.onnx", "-o", "model.onnxtxt", cwd=tmp_path)
    assert "Mul" in (tmp_path / "model.onnxtxt").read_text()
    environment.run(*convert, "model.onnxtxt", "-o", "again.onnx", "--report", "run.csv", cwd=tmp_path)
    assert (tmp_path / "run.csv").read_text().startswith("step,modified,seconds,")
    feeds = {"x": np.ones((2, 4), np.float32)}
    assert_equivalent(model(CHAIN), model_files.load(tmp_path / "again.onnx"), feeds, rtol=0, atol=0)


def test_its_own_tests_pass(environment: Environment, source: Path) -> None:
    summary = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=source)
    assert " passed" in summary
    assert "skipped" not in summary


def test_the_projects_environment_stays_without_it(environment: Environment, tmp_path: Path) -> None:
    assert "onnxpress-template" not in {item.name for item in distributions()}
    plugins, _ = listing(run(sys.executable, "-m", "onnxpress.cli", "list", "--json", cwd=tmp_path))
    assert "template" not in plugins
    assert not list(FOLDER.rglob("*.egg-info")) + list(FOLDER.rglob("dist"))

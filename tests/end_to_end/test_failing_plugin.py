"""What the user of a plugin that fails sees: who fails, a way to run it again, and everything else at work."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from onnxpress import model_files
from onnxpress.testing import model

FAILING = """
import onnx_ir as ir

from onnxpress import hookimpl
from onnxpress.kinds import Context, Pass


class Fail(ir.passes.InPlacePass):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        for node in list(model.graph)[: self.after]:
            node.name = "spoilt"
        raise ArithmeticError(f"gave up after {self.after} nodes")


def build(context: Context, *, after: int = 1) -> ir.passes.PassBase:
    return Fail(after)


@hookimpl
def onnxpress_passes():
    yield Pass(name="fail", summary="Fails.", build=build)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder; plugins are installed in its neighbour `packages`."""
    install(tmp_path / "packages", "failing", FAILING)
    install(tmp_path / "packages", "lost", "import a_package_that_is_not_there")
    here = tmp_path / "here"
    here.mkdir()
    network = model(
        "agraph (float[N,4] x, float[4] w) => (float[N,4] y) { i = Identity(x) h = Mul(i, w) y = Relu(h) }",
        w=np.arange(4, dtype=np.float32),
    )
    model_files.save(network, here / "model.onnx")
    return here


def install(packages: Path, name: str, source: str) -> None:
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / f"{name}_plugin.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[onnxpress]\n{name} = {name}_plugin\n")


def onnxpress(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onnxpress.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder.parent / "packages")},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_failing_step_is_rerun_from_its_reproducer(folder: Path) -> None:
    (folder / "recipe.toml").write_text('[[step]]\npass = "clean-up"\n\n[[step]]\npass = "fail"\nafter = 2\n')
    before = (folder / "model.onnx").read_bytes()
    failed = onnxpress(folder, "compress", "model.onnx", "--recipe", "recipe.toml", "-o", "smaller.onnx")
    assert failed.returncode == 1
    *_, sentence, way = failed.stderr.splitlines()
    assert sentence == "onnxpress: pass 'fail' failed: ArithmeticError: gave up after 2 nodes"
    assert (folder / "model.onnx").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "recipe.toml", "smaller.onnx.failed"]
    assert [node.op_type for node in model_files.load(folder / "smaller.onnx.failed" / "model.onnx").graph] == [
        "Mul",
        "Relu",
    ]

    program, *arguments = shlex.split(way.partition("rerun with: ")[2])
    assert program == "onnxpress"
    again = onnxpress(folder, *arguments)
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1] == sentence


def test_a_broken_plugin_is_listed_with_the_reason(folder: Path) -> None:
    listed = onnxpress(folder, "list")
    assert listed.returncode == 0
    reason = "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"
    assert f"plugin lost (lost 1.0): BROKEN: {reason}" in listed.stdout.splitlines()
    assert "plugin failing (failing 1.0): ok" in listed.stdout.splitlines()
    plugins = json.loads(onnxpress(folder, "list", "--json").stdout)["plugins"]
    assert {plugin["name"]: plugin["error"] for plugin in plugins}["lost"] == reason


def test_a_missing_name_may_have_come_from_the_broken_plugin(folder: Path) -> None:
    (folder / "recipe.toml").write_text('[[step]]\npass = "shrink"\n')
    missing = onnxpress(folder, "compress", "model.onnx", "--recipe", "recipe.toml")
    assert missing.returncode == 2
    sentence = missing.stderr.splitlines()[-1]
    assert sentence.startswith("onnxpress: no pass is called 'shrink'; known: ")
    assert sentence.endswith(
        "(plugin 'lost' of lost 1.0 did not load: ModuleNotFoundError: No module named 'a_package_that_is_not_there')"
    )

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnxpress import ranges, reproducer
from onnxpress.model_files import load, to_proto
from onnxpress.ranges import META_KEY, Range
from onnxpress.recipe import Recipe, RecipeStep
from onnxpress.recipe import load as load_recipe
from onnxpress.testing import model

RECIPE = Recipe(name="mine", steps=(RecipeStep("insert-qdq", {"exclude": ["fc*"]}), RecipeStep("clean-up")))


def calibrated() -> ir.Model:
    graph = model("agraph (float[N,4] x) => (float[N,4] y) <float[4] w = {1,2,3,4}> { h = Mul(x, w) y = Relu(h) }")
    graph.graph.inputs[0].meta[META_KEY] = Range(-1.0, 1.0)
    graph.graph[0].outputs[0].meta[META_KEY] = Range(-0.5, 4.0)
    return graph


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_model_recipe_ranges_and_versions(tmp_path: Path):
    folder = tmp_path / "failed"
    command = reproducer.write(folder, calibrated(), RECIPE, ValueError("odd"))
    assert names(folder) == [
        "model.onnx",
        "ranges.json",
        "recipe.toml",
        "versions.json",
    ]
    assert to_proto(load(folder / "model.onnx")) == to_proto(calibrated())
    assert load_recipe(folder / "recipe.toml").steps == RECIPE.steps
    assert load_recipe(folder / "recipe.toml").ranges == folder / "ranges.json"
    assert ranges.load(folder / "ranges.json") == {"x": Range(-1.0, 1.0), "h": Range(-0.5, 4.0)}
    assert json.loads((folder / "versions.json").read_text())["error"] == "ValueError: odd"
    assert shlex.split(command) == [
        "onnxpress", "compress", str(folder / "model.onnx"), "--recipe", str(folder / "recipe.toml"),
    ]  # fmt: skip


def test_a_model_without_ranges_has_no_range_file(tmp_path: Path):
    bare = model("agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    reproducer.write(tmp_path / "failed", bare, RECIPE, ValueError("odd"))
    assert not (tmp_path / "failed" / "ranges.json").exists()
    assert load_recipe(tmp_path / "failed" / "recipe.toml").ranges is None


def test_an_older_reproducer_is_replaced(tmp_path: Path):
    folder = tmp_path / "failed"
    reproducer.write(folder, calibrated(), RECIPE, ValueError("first"))
    bare = model("agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    reproducer.write(folder, bare, RECIPE, ValueError("second"))
    assert names(folder) == ["model.onnx", "recipe.toml", "versions.json"]
    assert names(tmp_path) == ["failed"]


def test_ranges_inside_subgraphs_are_found():
    graph = model(
        "agraph (bool c, float[N] x) => (float[N] y) "
        "{ y = If(c) <then_branch = a () => (float[N] p) { p = Relu(x) }, "
        "else_branch = b () => (float[N] q) { q = Neg(x) }> }"
    )
    branch = graph.graph[0].attributes["then_branch"].as_graph()
    branch[0].outputs[0].meta[META_KEY] = Range(0.0, 1.0)
    assert reproducer.attached_ranges(graph) == {"p": Range(0.0, 1.0)}


def test_versions_leave_out_what_is_absent(monkeypatch):
    monkeypatch.setattr(reproducer, "_PACKAGES", ("numpy", "a-package-that-is-not-there"))
    assert set(reproducer.versions()) == {"python", "numpy"}
    assert reproducer.versions()["numpy"] == np.__version__

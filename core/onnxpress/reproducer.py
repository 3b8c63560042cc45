"""A folder that reruns a failed step: the model before it, the rest of the recipe, the versions."""

from __future__ import annotations

import json
import platform
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress import model_files, ranges
from onnxpress.files import atomic
from onnxpress.ranges import META_KEY, Range
from onnxpress.recipe import Recipe, to_toml

if TYPE_CHECKING:
    import onnx_ir as ir

_PACKAGES = ("onnxpress", "onnx", "onnx-ir", "onnxruntime", "numpy", "tensorflow", "tf2onnx")


def write(folder: Path, model: ir.Model, recipe: Recipe, error: BaseException) -> str:
    """Write the reproducer, atomically.

    Args:
        folder: Where it goes; replaced if it exists.
        model: The model before the step that failed.
        recipe: That step and those after it.
        error: What it raised.

    Returns:
        The command that runs it again.
    """
    known = attached_ranges(model)
    with atomic(folder) as staged:
        staged.mkdir()
        model_files.save(model, staged / "model.onnx")
        text = to_toml(recipe)
        if known:
            ranges.save(known, staged / "ranges.json")
            text = f'ranges = "ranges.json"\n{text}'
        (staged / "recipe.toml").write_text(text, encoding="utf-8")
        facts = {"error": f"{type(error).__name__}: {error}", "versions": versions()}
        (staged / "versions.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return shlex.join(["onnxpress", "compress", str(folder / "model.onnx"), "--recipe", str(folder / "recipe.toml")])


def versions() -> dict[str, str]:
    """Versions of Python and of every package that shapes a result; a package that is absent is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def attached_ranges(model: ir.Model) -> dict[str, Range]:
    """The ranges that calibration left on the values of `model`, by name."""
    return {
        value.name: value.meta[META_KEY]
        for graph in model.graphs()
        for value in [*graph.inputs, *(output for node in graph for output in node.outputs)]
        if value.name and isinstance(value.meta.get(META_KEY), Range)
    }

"""docs/plugins.md says what the code says."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from pathlib import Path

import numpy as np
import pytest

from onnxpress import hookspecs, testing
from onnxpress.kinds import Context, Kind, Pass
from onnxpress.registry import HOOKS, Registry

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
SPECS = {name: function for name, function in vars(hookspecs).items() if name.startswith("onnxpress_")}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    signature = str(inspect.signature(SPECS[name])).replace("'", "")
    assert f"```python\n{name}{signature}\n```" in PAGE


@pytest.mark.parametrize("kind", HOOKS)
def test_every_record_is_documented_with_its_fields(kind: type[Kind]) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.__name__}` |"))
    fields = [field.name for field in dataclasses.fields(kind) if field.name not in ("name", "summary")]
    assert ", ".join(f"`{name}`" for name in fields) == row.split("|")[2].strip()


def test_the_context_is_documented() -> None:
    for field in dataclasses.fields(Context):
        assert f"`{field.name}`" in PAGE


def test_the_sample_plugin_runs() -> None:
    sample = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "my_package" in block)
    plugin = types.ModuleType("my_package")
    exec(sample, vars(plugin))
    assert testing.check_plugin(plugin) == {"pass": 1}
    registry = Registry(plugin, installed=False)
    model = testing.model("agraph (float[N,4] x) => (float[N,4] y) { a = Dropout(x) \n b = Relu(a) \n y = Dropout(b) }")
    offer = registry.get(Pass, "drop-dropout")
    after, notes = testing.apply(offer, model, catalog=registry, keep_first=True)
    assert [node.op_type for node in after.graph] == ["Dropout", "Relu"]
    assert notes.counts == {"Dropout removed": 1}
    assert notes.declined[0].reason == "option keep_first is set"
    feeds = {"x": np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)}
    testing.assert_equivalent(model, after, feeds, rtol=0, atol=0)

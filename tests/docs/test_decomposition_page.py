"""docs/decomposition.md says what the code says; what it shares with other pages is in test_formats_page."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any, get_args

import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.decomposition import apply, info
from onnxpress.decomposition.layer_stacks import FORMS, Layer, Stack
from onnxpress.kinds import Pass
from onnxpress.options import schema
from onnxpress.recipe import built_in
from onnxpress.registry import Registry
from onnxpress_plugins.decomposition.ranks.rank_choice import Rule
from onnxpress_plugins.decomposition.speed.latency import INT8, Modelled
from onnxpress_plugins.decomposition.ways import FormName

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "decomposition.md").read_text(encoding="utf-8")


def first_column(head: str) -> set[str]:
    """The names in the first column of the table under a heading row."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def options_of(name: str) -> dict[str, Any]:
    return {option.name: option.default for option in schema(Registry().get(Pass, name).build)}


def test_every_form_and_every_policy_has_its_row() -> None:
    assert first_column("form") == set(FORMS)
    assert first_column("`policy`") == set(get_args(Rule))
    assert "auto" in get_args(FormName) and "`auto`" in PAGE


def test_every_field_of_the_file_has_its_row() -> None:
    layer = re.search(r"```json\n.*?^  \{\n(.*?)\"parts\"", PAGE, re.DOTALL | re.MULTILINE)
    assert layer is not None
    assert first_column("field") == {*re.findall(r'"(\w+)":', layer[1]), "parts"}


def test_every_option_that_is_set_is_there() -> None:
    found = set(re.findall(r"\b(decompose|replay-decomposition)\.(\w+)=", PAGE))
    assert len(found) >= 6
    assert all(option in options_of(name) for name, option in found)


def test_options_have_the_defaults_that_are_named() -> None:
    defaults = options_of("decompose")
    words = " ".join(PAGE.split())
    assert f"ranks of `step` ({defaults['step']})" in words
    assert f"by `min_gain` ({defaults['min_gain']}) at least" in words
    assert (
        defaults["max_error"] is None and "`max_error` (0.1 of its output, or without data 0.3 of its weight)" in words
    )
    assert f"`decompose.form` is `{defaults['form']}` by default" in words and defaults["policy"] == "budget"


def test_recipes_are_there() -> None:
    assert set(re.findall(r"--recipe (low[\w-]+)", PAGE)) == {
        name for name in built_in() if name.startswith("low-rank")
    }


@pytest.mark.parametrize(("kind", "model"), [("float", Modelled()), ("int8", INT8)])
def test_the_constants_of_the_clock(kind: str, model: Modelled) -> None:
    line = re.search(rf"^{kind} +a = +([\d.]+) ms .* b = +([\d.]+) ms .* c = +([\d.]+) us$", PAGE, re.MULTILINE)
    assert line is not None
    shown = (1e3 * model.giga_mac, 1e3 * model.gigabyte, 1e6 * model.job)
    assert [float(text) for text in line.groups()] == pytest.approx(shown, rel=0.03)


def test_the_times_are_those_of_the_last_run() -> None:
    generated = runpy.run_path(str(ROOT / "docs" / "generated.py"))
    page = generated["on_page_markdown"](PAGE)
    results = json.loads((ROOT / "benchmarks" / "results" / "stack_latency.json").read_text(encoding="utf-8"))
    spatial = [row for row in results["rows"] if row["form"] == "spatial"]
    assert len(spatial) >= 10
    for row in spatial:
        line = re.search(rf"^\| {row['channels']} \| {row['map']} x {row['map']} \|(.*)$", page, re.MULTILINE)
        assert line is not None
        cells = [float(cell) for cell in line[1].strip("| ").split(" | ")]
        shown = cells[:3] if row["precision"] == "float32" else cells[3:]
        assert shown == pytest.approx([row[f"measured {share}"] for share in (0.25, 0.5, 0.7)], abs=0.006)


@pytest.mark.parametrize("name", ["compact_networks", "decomposition", "factorization"])
def test_the_page_holds_the_last_results(name: str) -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generated.py"))["on_page_markdown"](PAGE)
    rows = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    first, second = list(rows[0])[:2]
    assert all(f"\n| {row[first]} | {row[second] or ''} |" in page for row in rows)


def test_the_recipe_errs_as_little_beside_amct_as_the_page_says() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "decomposition.json").read_text(encoding="utf-8"))["rows"]
    amct = next(row for row in rows if row["ranks by"] == "AMCT's rule")
    mine = {round(row["% of multiplications"]): row for row in rows if row["ranks by"] == "recipe low-rank"}
    assert "errs a sixteenth as much, and with a third less still a fifth" in " ".join(PAGE.split())
    assert round(amct["% of multiplications"]) == 39 and set(mine) == {50, 39, 35, 26}
    shares = [mine[share]["mean abs. error"] / amct["mean abs. error"] for share in (39, 26)]
    assert shares == pytest.approx([1 / 16, 1 / 5], rel=0.2)


def worked_example() -> str:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_file_is_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "i").write_text(worked_example(), encoding="utf-8")
    assert info.text(info.load(tmp_path / "i")) == worked_example()


def test_the_modules_of_the_page_compute_what_onnx_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, stride=2, padding=1), torch.nn.ReLU())
    bias = numbers(8, seed=1)
    whole = graph("c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b) y = Relu(c)", w=numbers(8, 4, 3, 3), b=bias)
    whole.graph.initializers["w"].name = "0.weight"
    layer = Layer(
        name="c",
        operator="Conv",
        weight="0.weight",
        weight_shape=(8, 4, 3, 3),
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        dilations=(1, 1),
        bias="b",
    )
    stack = Stack(layer=layer, form="spatial", ranks=(6,), first_axes=(1,), new_bias=True)
    small: ir.Model = apply([stack], whole)
    model_files.save(small, tmp_path / "small.onnx")
    info.save([stack], tmp_path / "small.decomposition.json")
    snippet = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "set_submodule" in block)
    monkeypatch.chdir(tmp_path)
    exec(snippet, {"module": module})
    from onnxpress.runtime import Session

    images = numbers(2, 4, 8, 8, seed=2)
    (wanted,) = Session(small).run({"x": images}).values()
    assert module(torch.tensor(images)).detach().numpy() == pytest.approx(wanted, abs=1e-5)

"""Whose word counts: the options given, then AMCT's configuration, then the recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from amct_configurations import HFMG_LAYER, IFMR_LAYER, SIMPLIFIED, network
from calibrated import graph, numbers
from onnxpress import cli, model_files, ranges
from onnxpress.ascend.configuration.reading import read
from onnxpress.calibrating import calibrate
from onnxpress.configuring import configured, fitted
from onnxpress.errors import InvalidOption, InvalidRecipe
from onnxpress.kinds import SOURCE_NAME_KEY
from onnxpress.recipe import find
from onnxpress.records import Run
from onnxpress.registry import Registry
from onnxpress.workflow import compress

REGISTRY = Registry()
DATA = {"x": numbers(6, 32, 6, 6, seed=8)}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "c.cfg"
    path.write_text(SIMPLIFIED)
    return path


def options(run: Run, name: str) -> dict[str, Any]:
    return next(step.options for step in run.steps if step.name == name)


def stored(model: ir.Model, index: int) -> dict[str, Any]:
    """Input `index` of the DequantizeLinear behind each quantised input or weight, by layer and position."""
    found: dict[str, Any] = {}
    for node in model.graph:
        for position, value in enumerate(node.inputs[:2]):
            maker = None if value is None else value.producer()
            source = maker.inputs[index] if maker is not None and maker.op_type == "DequantizeLinear" else None
            if source is not None and source.const_value is not None:
                found[f"{node.name}:{position}"] = source.const_value.numpy()
    return found


def test_a_configuration_overrules_the_recipe_and_is_overruled(text: Path) -> None:
    given = {"calibrate.observer": "mse", "*.rounding": "cancelling"}
    recipe = configured(find("int8"), REGISTRY, step_options=given, target=None, config=read(text))
    steps = {step.name: step.options for step in recipe.steps}
    assert recipe.target == "ascend"
    assert steps["calibrate"]["observer"] == "mse"
    assert steps["calibrate"]["exclude_nodes"] == steps["insert-qdq"]["exclude_nodes"] == ["conv3"]
    assert steps["insert-qdq"]["rounding"] == steps["correct-biases"]["rounding"] == "cancelling"
    assert steps["fold-batch-norm"] == {"exclude_layers": ["conv2"]}
    other = configured(find("int8"), REGISTRY, step_options={}, target="ascend-narrow", config=read(text))
    assert other.target == "ascend-narrow"


def test_a_recipe_that_quantises_nothing_is_refused(text: Path) -> None:
    with pytest.raises(InvalidOption, match=r"c\.cfg is for a recipe with a step 'calibrate', and 'convert' has none"):
        configured(find("convert"), REGISTRY, step_options={}, target=None, config=read(text))


@pytest.mark.parametrize(
    ("batch", "given", "limit"), [("N", {}, None), ("2", {}, 2), ("2", {"calibrate.samples": 1}, 1)]
)
def test_batches_are_counted_in_samples_where_the_model_says_how_many(
    text: Path, batch: str, given: dict[str, int], limit: int | None
) -> None:
    config = read(text)
    recipe = configured(find("int8"), REGISTRY, step_options=given, target=None, config=config)
    recipe, warnings = fitted(recipe, REGISTRY, step_options=given, config=config, model=network(batch))
    (step,) = (step for step in recipe.steps if step.name == "calibrate")
    assert step.options.get("samples") == limit
    assert [sentence for sentence in warnings if "batch_num 2 counts batches" in sentence] == [
        sentence for sentence in warnings if batch == "N"
    ]


def test_a_model_is_quantised_as_the_documented_example_says(text: Path) -> None:
    result = compress(network(), data=DATA, amct_config=text)
    shapes = {place: scale.shape for place, scale in stored(result.model, 1).items()}
    assert shapes == {"conv1:0": (), "conv1:1": (32,), "conv2:0": (), "conv2:1": (), "fc:0": (), "fc:1": ()}
    kept = [node.op_type for node in result.model.graph if node.op_type in ("BatchNormalization", "Mul")]
    assert kept  # conv2 is in skip_fusion_layers
    declined = {item.node: item.reason for step in result.run.steps for item in step.notes.declined}
    assert declined["conv3"] == "excluded by name"
    assert declined["pool"] == "excluded as AvgPool2d"
    assert stored(result.model, 2)["fc:0"] == 0  # Linear is symmetric
    assert stored(result.model, 2)["conv2:0"] == -128
    assert result.run.warnings == [
        f"{text}: batch_num 2 counts batches of a size that the file does not tell, so all samples are used; "
        "--set calibrate.samples=N uses N"
    ]


def test_a_layer_that_a_json_file_does_not_list_stays_float(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(
        json.dumps({"batch_num": 1, "conv1": IFMR_LAYER, "conv2": HFMG_LAYER, "fc": {"quant_enable": False}})
    )
    result = compress(network("3"), data=DATA, amct_config=path)
    assert {place.partition(":")[0] for place in stored(result.model, 1)} == {"conv1", "conv2"}
    assert options(result.run, "calibrate")["samples"] == 1
    (calibrated,) = (step for step in result.run.steps if step.name == "calibrate")
    assert calibrated.notes.details["samples"] == 1
    assert calibrated.notes.details["other observers"] == {"r": "hfmg asymmetric=false"}


def test_a_product_that_folding_makes_a_layer_of_another_type_is_still_meant(tmp_path: Path) -> None:
    constants = {"w": numbers(32, 32) / 8, "b": numbers(32), "v": numbers(32, 8) / 8}
    made = graph("m = MatMul(x, w) s = Add(m, b) y = Gemm(s, v)", x="float[N,32] x", **constants)
    path = tmp_path / "c.cfg"
    path.write_text('skip_layer_types: "MatMul"')
    result = compress(made, data={"x": numbers(4, 32)}, amct_config=path)
    assert [node.op_type for node in result.model.graph if node.name in ("m", "y")] == ["Gemm", "Gemm"]
    assert list(stored(result.model, 1)) == ["y:0", "y:1"]


def test_a_configuration_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"conv9": IFMR_LAYER}))
    with pytest.raises(InvalidRecipe, match=r"c\.json, layers: no node is called 'conv9'; did you mean 'conv"):
        compress(network(), data=DATA, amct_config=path)


def test_calibration_alone_takes_a_configuration_too(text: Path, tmp_path: Path) -> None:
    run = calibrate(network(), data=DATA, amct_config=text, record=tmp_path / "m.record")
    assert options(run, "calibrate")["observer"] == "ifmr"
    assert any("batch_num 2" in sentence for sentence in run.warnings)
    assert 'key: "conv1"' in (tmp_path / "m.record").read_text()
    assert 'key: "conv3"' not in (tmp_path / "m.record").read_text()


def test_ranges_alone_need_no_options_for_weights(text: Path, tmp_path: Path) -> None:
    run = calibrate(network(), data=DATA, amct_config=text, ranges=tmp_path / "ranges.json")
    assert [step.name for step in run.steps][-1] == "calibrate"
    assert sorted(ranges.load(tmp_path / "ranges.json")) == ["f", "r", "x"]


def test_the_command_line_takes_it(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model_files.save(network(), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", DATA["x"])
    arguments = [str(tmp_path / "m.onnx"), "--data", str(tmp_path / "x.npy"), "--amct-config", str(text)]
    assert cli._run(["compress", *arguments, "-o", str(tmp_path / "q.onnx"), "--no-bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"][0].startswith(f"{text}: batch_num 2 counts batches")
    text.write_text("common_config { ada_quantize { } }")
    assert cli._run(["compress", *arguments]) == 2
    assert capsys.readouterr().err == (
        f"onnxpress: {text}, common_config asks for ada_quantize, which is not done; use arq_quantize\n"
    )


@pytest.mark.parametrize("called", ["conv2", "net/conv2/Conv2D"])
def test_a_layer_goes_by_the_name_of_its_source_or_its_own(called: str, tmp_path: Path) -> None:
    model = network()
    for node in model.graph:
        node.meta[SOURCE_NAME_KEY] = f"net/{node.name}/Conv2D"
    (tmp_path / "c.json").write_text(json.dumps({"version": 1, called: IFMR_LAYER}))
    run = compress(model, data=DATA, amct_config=tmp_path / "c.json", threads=1).run
    assert options(run, "insert-qdq")["only_nodes"] == ["conv2"]
    assert next(step for step in run.steps if step.name == "insert-qdq").notes.counts == {"Conv quantised": 1}

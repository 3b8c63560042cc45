"""Calibration alone, from Python and from the command line: what is run, what is written, what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.ascend import record_files
from onnxpress.calibrating import calibrate
from onnxpress.cli import _run
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.ranges import Range, load

BODY = """
c = Conv<pads = [1, 1, 1, 1]>(x, w) n = BatchNormalization(c, g, b, mu, va) r = Relu(n)
d = Conv(r, v) p = AveragePool<kernel_shape = [2, 2]>(d) f = Flatten(p) y = Gemm(f, m, mb)
"""
CONSTANTS = {
    "w": numbers(20, 18, 3, 3, seed=1) / 13,
    **{name: numbers(20, seed=seed) for seed, name in enumerate(("g", "b", "mu"), 2)},
    "va": np.full(20, 0.5, np.float32),
    "v": numbers(4, 20, 1, 1, seed=5) / 4,
    "m": numbers(4 * 25, 3, seed=6) / 10,
    "mb": numbers(3, seed=7),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model_files.save(graph(BODY, x="float[N,18,6,6] x", **CONSTANTS), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=numbers(6, 18, 6, 6, seed=8))
    return tmp_path


def command(folder: Path, *arguments: str) -> int:
    return _run(["calibrate", str(folder / "model.onnx"), "--data", str(folder / "data.npz"), *arguments])


def names(run: Any) -> list[str]:
    return [step.name for step in run.steps]


def test_a_record_holds_every_layer_by_its_name_in_the_model(folder: Path) -> None:
    run = calibrate(folder / "model.onnx", data=folder / "data.npz", record=folder / "my.record")
    records = record_files.load(folder / "my.record")
    assert list(records) == ["c", "d", "p", "y"]
    assert [len(record.scale_w) for record in records.values()] == [20, 4, 0, 1]
    assert records["d"].offset_d == -128, "nothing is negative behind Relu"
    assert not any(record.skip_fusion for record in records.values())
    assert run.files == [str(folder / "my.record")]
    assert not run.warnings and run.comparison is None


def test_ranges_alone_need_no_quantisation(folder: Path) -> None:
    run = calibrate(folder / "model.onnx", data=str(folder / "data.npz"), ranges=str(folder / "ranges.json"))
    assert names(run)[-1] == "calibrate"
    assert not {"correct-biases", "insert-qdq"} & set(names(run))
    found = load(folder / "ranges.json")
    data = np.load(folder / "data.npz")["x"]
    assert found["x"].low >= data.min() and found["x"].high <= data.max()
    assert run.files == [str(folder / "ranges.json")]


def test_ranges_that_were_written_are_what_a_recipe_takes(folder: Path) -> None:
    assert command(folder, "--ranges", str(folder / "ranges.json"), "--set", "calibrate.observer=minmax") == 0
    data = np.load(folder / "data.npz")["x"]
    assert load(folder / "ranges.json")["x"] == Range(float(data.min()), float(data.max()))
    arguments = ["compress", str(folder / "model.onnx"), "-o", str(folder / "int8.onnx"), "--no-bench"]
    options = ["--set", f"calibrate.ranges={folder / 'ranges.json'}", "--set", "correct-biases.samples=1"]
    assert _run([*arguments, *options, "--random-data"]) == 0
    scale = model_files.load(folder / "int8.onnx").graph.initializers["x_scale"].const_value
    assert scale is not None
    assert float(scale.numpy()) == pytest.approx((data.max() - data.min()) / 255)


def test_both_files_at_once_and_the_report_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, ranges = folder / "out" / "my.txt", folder / "out" / "ranges.json"
    assert command(folder, "--record", str(record), "--ranges", str(ranges), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["files"] == [str(record), str(ranges)]
    assert [step["name"] for step in printed["steps"]][-2:] == ["calibrate", "insert-qdq"]
    assert sorted(path.name for path in record.parent.iterdir()) == ["my.txt", "ranges.json"]
    assert record_files.load(record).keys() == {"c", "d", "p", "y"}
    assert load(ranges)["x"]


def test_the_same_command_writes_the_same_bytes(folder: Path) -> None:
    for name in ("one", "two"):
        assert command(folder, "--record", str(folder / name)) == 0
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()


def test_target_and_options_change_the_scales(folder: Path) -> None:
    options = ["--target", "ascend-symmetric", "--set", "calibrate.observer=minmax", "--set", "*.exclude_nodes=y"]
    assert command(folder, "--record", str(folder / "my.record"), *options) == 0
    records = record_files.load(folder / "my.record")
    assert {record.offset_d for record in records.values()} == {0}
    assert "y" not in records
    assert records["c"].scale_d == pytest.approx(np.abs(np.load(folder / "data.npz")["x"]).max() / 127)


def test_layers_that_are_not_folded_say_so(folder: Path) -> None:
    options = ["--set", "fold-batch-norm.exclude_layers=c"]
    assert command(folder, "--record", str(folder / "my.record"), *options) == 0
    records = record_files.load(folder / "my.record")
    assert records["c"].skip_fusion
    largest = np.abs(CONSTANTS["w"]).reshape(20, -1).max(axis=1)
    np.testing.assert_allclose(np.array(records["c"].scale_w) * 127, largest, rtol=1e-6)


def test_a_configuration_of_amct_is_honoured(folder: Path) -> None:
    config = folder / "config.cfg"
    config.write_text('activation_offset: false skip_layers: "y" skip_fusion_layers: "c" batch_num: 1')
    assert command(folder, "--record", str(folder / "my.record"), "--amct-config", str(config)) == 0
    records = record_files.load(folder / "my.record")
    assert list(records) == ["c", "d", "p"]
    assert {record.offset_d for record in records.values()} == {0}
    assert [record.skip_fusion for record in records.values()] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "nothing to write: give --record FILE for AMCT's scales, --ranges FILE for ranges, or both"),
        (["--record", "a", "--ranges", "a"], 2, "--record and --ranges are the same file, a"),
        (["--record", "a", "--recipe", "convert"], 2, "recipe 'convert' has no step 'calibrate', so that it finds no"),
        (["--record", "a", "--recipe", "int9"], 2, "no recipe is called 'int9'; did you mean 'int8'?"),
        (["--record", "a", "--target", "ascent"], 2, "did you mean 'ascend'?"),
        (["--record", "a", "--set", "calibrate.observr=mse"], 2, "did you mean 'observer'?"),
        (["--record", "a", "--set", "*.exclude_nodes=yy"], 2, "'yy'"),
        (["--record", "a", "--set", "*.exclude_ops=Conv,Gemm,AveragePool"], 1, "the model has no integers to record"),
    ],
)
def test_a_mistake_is_one_clear_line_and_no_file(
    folder: Path,
    arguments: list[str],
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert command(folder, *arguments) == code
    message = capsys.readouterr().err
    assert sentence in message and "Traceback" not in message
    assert sorted(folder.rglob("*")) == before


def test_without_data_there_are_no_scales(folder: Path) -> None:
    with pytest.raises(InvalidData, match="--random-data for a smoke run"):
        calibrate(folder / "model.onnx", record=folder / "my.record")
    run = calibrate(folder / "model.onnx", record=folder / "my.record", random_data=True)
    assert run.random_data


def test_a_recipe_without_quantisation_gives_ranges_only(folder: Path) -> None:
    steps: dict[str, Any] = {"recipe": ["clean-up", "calibrate"], "data": folder / "data.npz"}
    with pytest.raises(InvalidOption, match="recipe 'steps' has no step 'insert-qdq', so that it finds no scales"):
        calibrate(folder / "model.onnx", record=folder / "my.record", **steps)
    assert names(calibrate(folder / "model.onnx", ranges=folder / "r.json", **steps)) == ["clean-up", "calibrate"]

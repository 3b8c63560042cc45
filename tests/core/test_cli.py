"""The command line: answers at once, exit codes 0/1/2, one clear line for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy_layers import one_layer
from deploy_models import integers
from onnxpress import cli, model_files, testing
from onnxpress.ascend import deploy_files
from onnxpress.cli import COMMANDS, _run
from onnxpress.recipe import built_in


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(8, 3, 3, 3)).astype(np.float32)
    model = testing.model(
        "agraph (float[N,3,8,8] x, float[8,3,3,3] w) => (float[N,8,6,6] y) { a = Conv(x, w) \n y = Relu(a) }", w=weight
    )
    path = tmp_path / "model.onnx"
    model_files.save(model, path)
    np.savez(f"{path}.npz", x=np.ones((2, 3, 8, 8), np.float32))
    return path


@pytest.fixture
def data_path(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.random.default_rng(1).normal(size=(8, 3, 8, 8)).astype(np.float32))
    return path


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_help_imports_neither_the_graph_nor_a_runtime() -> None:
    code = (
        "import sys; from onnxpress.cli import _run; _run(['--help']);"
        "print([m for m in ('onnx_ir', 'onnx', 'onnxruntime', 'numpy', 'tensorflow', 'rich') if m in sys.modules])"
    )
    assert _python(code).splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown and f"onnxpress {command}" in shown


def test_what_is_on_by_itself_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["convert", "--help"]) == 0
    assert "--library / --no-library" in capsys.readouterr().out


def test_help_says_what_options_mean_and_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["convert", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # lines break behind hyphens
    assert "--signature VALUE Key of the SavedModel signature to convert (str; frontends tensorflow, tflite)." in shown
    assert "'quantize-weights'; backends savedmodel, tensorflow-pb)." in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("onnxpress, version ")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["squash"], 2, "No such command 'squash'"),
        (["convert", "{model}"], 2, "Missing option '-o'"),
        (["convert", "{model}", "-o", "out.onnx", "--recipe", "convrt"], 2, "did you mean 'convert'?"),
        (["convert", "{model}", "-o", "out.xyz"], 2, "no backend writes 'out.xyz'"),
        (["convert", "{model}", "-o", "out.onnx", "--frontend", "onx"], 2, "no frontend is called 'onx'"),
        (["convert", "absent.onnx", "-o", "out.onnx"], 1, "absent.onnx does not exist"),
        (["compress", "{model}", "-o", "out.onnx"], 1, "--data"),
        (
            ["convert", "{model}", "-o", "out.onnx", "--report", "r.html"],
            2,
            "--report writes .json or .txt, not 'r.html'",
        ),
        (["convert", "{model}", "-o", "o.txt", "--backend", "onnx", "--report", "o.txt"], 2, "are the same file"),
        (["convert", "absent.onnx", "-o", "o.onnx", "--report", "/proc/r.txt"], 1, "cannot write in /proc: "),
        (["simulate", "absent.onnx", "--random-data", "-o", "/proc/r.npz"], 1, "cannot write in /proc: "),
        (["compress", "{model}", "--data", "{model}.npz", "--set", "*.exclude_nodes=zz"], 2, "'zz'"),
        (["compress", "{model}", "--set", "calibrate"], 2, "--set takes PASS.OPTION=VALUE"),
        (["compress", "{model}", "--set", "calibrat.x=1"], 2, "no pass for 'calibrat.x'"),
        (["compress", "{model}", "--set", "calibrate.observr=mse"], 2, "did you mean 'observer'?"),
        (
            ["compress", "{model}", "--set", "*.exclude_node=a"],
            2,
            "no pass of recipe 'int8' has an option 'exclude_node'",
        ),
        (["compress", "{model}", "--target", "onnxruntime-gpu", "--random-data"], 2, "no target is called"),
        (["compress", "{model}", "--recipe", "ascend-record"], 2, "pass 'apply-record' needs option 'record' (path)"),
        (["compare", "{model}", "{model}"], 1, "--random-data"),
        (["simulate", "{model}", "--random-data"], 1, "model.onnx is no deploy model"),
        (["simulate", "{model}", "--profile", "npu"], 2, "'npu' is not one of 'rint', 'tf', 'device'"),
        (["simulate", "{model}", "--random-data", "--probe", "a"], 2, "give --out FILE.npz"),
        (["recipe", "show", "int9"], 2, "did you mean 'int8'?"),
        (["inspect", "{model}", "--signature", "x"], 2, "no option 'signature'"),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str],
    code: int,
    sentence: str,
    model_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(model_path.parent)
    before = sorted(model_path.parent.rglob("*"))
    assert _run([argument.format(model=model_path) for argument in arguments]) == code
    message = capsys.readouterr().err
    assert sentence in message and "Traceback" not in message
    assert sorted(model_path.parent.rglob("*")) == before


def test_compress_writes_model_and_reports(
    model_path: Path, data_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out" / "int8.onnx", tmp_path / "out" / "report.json"
    arguments = ["compress", str(model_path), "--data", str(data_path), "-o", str(out), "--report", str(report)]
    assert _run([*arguments, "--json", "--no-bench"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(report.read_text())
    assert printed["comparison"]["samples"] == 8
    assert [step["name"] for step in printed["steps"]] == [step.name for step in built_in()["int8"].steps]
    assert "QuantizeLinear" in {node.op_type for node in model_files.load(out).graph}


def test_one_option_for_every_pass_that_has_it(model_path: Path, data_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    arguments = ["compress", str(model_path), "--data", str(data_path), "-o", str(out), "--no-bench"]
    assert _run([*arguments, "--set", "*.exclude_ops=Conv"]) == 0
    assert [node.op_type for node in model_files.load(out).graph] == ["Conv", "Relu"]


def test_the_same_command_gives_the_same_bytes(model_path: Path, data_path: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("one.onnx", "two.onnx")]
    for out in outs:
        assert _run(["compress", str(model_path), "--data", str(data_path), "-o", str(out), "--no-bench"]) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize("command", [["inspect"], ["bench", "--runs", "3"]])
def test_json_of_one_model(command: list[str], model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([command[0], str(model_path), *command[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_inspect_lists_the_nodes_on_request(model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["inspect", str(model_path), "--nodes"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["node (Conv)", "node_1 (Relu)"]
    assert _run(["inspect", str(model_path)]) == 0
    assert "(Conv)" not in capsys.readouterr().out
    assert _run(["inspect", str(model_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["node_names"] == ["node", "node_1"]


def test_compare(model_path: Path, data_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["compare", str(model_path), str(model_path), "--data", str(data_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["max_abs"] == 0


@pytest.mark.parametrize("command", ["compare", "bench"])
def test_a_frontend_for_one_of_two_models(
    command: str, model_path: Path, data_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [command, str(model_path), str(model_path), "--data", str(data_path), "--frontend"]
    assert _run([*arguments, "onnx"]) == 0
    capsys.readouterr()
    assert _run([*arguments, "tflite"]) == 2
    assert "frontend 'tflite' reads none of the models" in capsys.readouterr().err


def test_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "net_deploy_model.onnx", tmp_path / "tensors.npz"
    bias = np.array([2**31 - 1, 0, 0, 0, 0])
    layer = one_layer("Conv", (1, 3, 4, 4), weight=integers(5, 3, 1, 1), bias=bias, deq_scale=1e-3)
    deploy_files.save(layer, path)
    assert _run(["simulate", str(path), "--random-data", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["profile"] == "device" and printed["rolled_back"] == ["c"]
    assert printed["comparisons"]["profile rint"]["samples"] == printed["samples"] == 16
    assert _run(["simulate", str(path), "--random-data"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("profile device, layers in integers: 1\nrolled back to floating point: c\n")
    assert "B against A, profile rint" in shown
    assert _run(["simulate", str(path), "--random-data", "--profile", "rint", "--probe", "c", "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["profile rint, layers in integers: 1", "samples: 16"]
    assert "accumulators of c left 32 bits and wrapped around" in lines[2]
    assert lines[3] == f"outputs: {out}" and np.load(out)["c"].dtype == np.int32


def test_a_defect_is_one_line_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.cli, "main", lambda **_: 1 / 0)
    assert _run([]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "internal error: ZeroDivisionError" in message
    monkeypatch.setenv("ONNXPRESS_DEBUG", "1")
    _run([])
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupt)
    assert _run([]) == 1
    assert capsys.readouterr().err == "onnxpress: interrupted; no file is half-written\n"

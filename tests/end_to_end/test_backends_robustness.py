"""The command line and hostile models against every output: one clear line, nothing lost, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from corruption import CORRUPTIONS
from frozen_graphs import FrozenGraph
from onnxpress import model_files, testing
from onnxpress.cli import _run
from onnxpress.model_sources import find_frontend
from onnxpress.registry import Registry
from onnxpress.runtime import Session

OUTS = ("out.pb", "out", "out.keras", "out.tflite")
"""A path for each output."""

WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def network(path: Path) -> Path:
    """A network with two inputs that are not in the order of the alphabet."""
    model = testing.model(
        "agraph (float[N,3,8,8] picture, float[N,4,6,6] added, float[4,3,3,3] w) => (float[N,4,6,6] scores)"
        "{ a = Conv(picture, w) \n b = Relu(a) \n scores = Sub(b, added) }",
        w=WEIGHT,
    )
    model_files.save(model, path)
    return path


def named(path: Path, inputs: list[str], outputs: list[str]) -> Path:
    """The first input minus the others, and its negative if there is a second output; whatever the names are."""
    nodes = [helper.make_node("Sub", [inputs[0], each], [f"less {index}"]) for index, each in enumerate(inputs[1:])]
    last = f"less {len(inputs) - 2}" if len(inputs) > 1 else inputs[0]
    nodes += [helper.make_node(op, [last], [name]) for op, name in zip(("Relu", "Neg"), outputs, strict=False)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", 4)) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", 4)) for name in outputs],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def read_back(path: Path) -> Any:
    """What was written, run by its own framework."""
    reader = find_frontend(path, Registry())
    return reader.reference(path) if reader.reference else Session(reader.load(path))


def in_order(names: Iterable[str]) -> list[str]:
    """Sorted as the mended names are: where one is legal, the other gets a number."""
    return sorted(names, key=lambda name: "a_b_1" if name == "a b" else name)


def agrees(model: Path, written: Path) -> None:
    """What was written gives what onnxruntime gives, for inputs in any order under names that may be mended."""
    session, runner = Session(model_files.load(model)), read_back(written)
    generator = np.random.default_rng(1)
    feeds = {port.name: generator.normal(size=(2, *(port.shape or ())[1:])) for port in session.inputs}
    feeds = {name: array.astype(np.float32) for name, array in feeds.items()}
    mended = dict(zip(in_order(feeds), sorted(port.name for port in runner.inputs), strict=True))
    expected = session.run(feeds)
    actual = runner.run({mended[name]: array for name, array in feeds.items()})
    assert len(actual) == len(expected)
    mended = dict(zip(in_order(expected), sorted(actual), strict=True))
    for name, array in expected.items():
        np.testing.assert_allclose(actual[mended[name]], array, rtol=1e-5, atol=1e-5, err_msg=name)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The only line that a command says when it fails."""
    assert _run(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("onnxpress: ") and "internal error" not in line
    return str(line)


@pytest.mark.parametrize("out", OUTS)
def test_several_inputs_keep_their_places_and_names(out: str, tmp_path: Path) -> None:
    source = network(tmp_path / "net.onnx")
    assert _run(["convert", str(source), "-o", str(tmp_path / out), "--json"]) == 0
    assert {port.name for port in read_back(tmp_path / out).inputs} == {"picture", "added"}
    agrees(source, tmp_path / out)


NAMES = {
    "paths": (["../../x"], ["/etc/passwd"]),
    "suffixes": (["x:0"], ["a:0"]),
    "illegal": (["^x y", "%s"], ["a\\b", "{0}"]),
    "unicode": (["größe"], ["出力"]),
    "long": (["x" * 10_000], ["y" * 10_000]),
    "arguments": (["inputs", "training"], ["lambda"]),
    "capitals": (["Z", "a"], ["z"]),
    "one": (["a b"], ["a_b"]),
    "outputs": (["x"], ["a b", "a_b"]),
    "inputs": (["a b", "a_b"], ["y"]),
}


@pytest.mark.parametrize("out", [out for out in OUTS if out != "out.pb"])
@pytest.mark.parametrize(("inputs", "outputs"), NAMES.values(), ids=NAMES)
def test_names_that_tensorflow_does_not_allow(inputs: list[str], outputs: list[str], out: str, tmp_path: Path) -> None:
    source = named(tmp_path / "net.onnx", inputs, outputs)
    assert _run(["convert", str(source), "-o", str(tmp_path / "o" / out)]) == 0
    assert [item.name for item in (tmp_path / "o").iterdir()] == [out]
    agrees(source, tmp_path / "o" / out)


@pytest.mark.parametrize(
    ("inputs", "outputs", "mended"),
    [
        (["a b"], ["a_b"], (["a_b_1"], ["a_b"])),
        (["x"], ["a b", "a_b"], (["x"], ["a_b_1", "a_b"])),
        (["X", "x"], ["Y", "y"], (["X", "x"], ["Y", "y"])),
        (["b\\c"], ["^y", "y:0"], (["b_c"], ["n_y", "y"])),
    ],
)
def test_names_in_a_frozen_graph_are_different_and_legal_ones_stay(
    inputs: list[str], outputs: list[str], mended: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    source = named(tmp_path / "net.onnx", inputs, outputs)
    assert _run(["convert", str(source), "-o", str(tmp_path / "net.pb")]) == 0
    arrays = [np.array([[1, -2, 3, -4]], np.float32), np.array([[4, 3, -2, 1]], np.float32)][: len(inputs)]
    expected = Session(model_files.load(source)).run(dict(zip(inputs, arrays, strict=True)))
    results = FrozenGraph(tmp_path / "net.pb").run(dict(zip(mended[0], arrays, strict=True)), mended[1])
    for result, array in zip(results, expected.values(), strict=True):
        np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("out", ["out", "out.tflite"])
@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (["X", "x"], "tell input 'x' from 'X'"),
        (["a.b", "a_b"], "tell input 'a_b' from 'a.b'"),
        (["self"], "have input 'self', a word of Python"),
        (["in"], "have input 'in', a word of Python"),
    ],
)
def test_names_that_a_signature_cannot_tell_apart(
    inputs: list[str], told: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = named(tmp_path / "net.onnx", inputs, ["y"])
    line = refused(["convert", str(source), "-o", str(tmp_path / out)], capsys)
    assert "a signature of TensorFlow cannot " in line and told in line
    assert [item.name for item in tmp_path.iterdir()] == ["net.onnx"]


ODD = {
    "scalar": "agraph (float x) => (float y) <float c = {2}> { y = Add(x, c) }",
    "sum": "agraph (float[N,4] x) => (float y) { y = ReduceSum<keepdims=0>(x) }",
    "initialiser": "agraph (float[N,4] x) => (float[N,4] y, float[2] c) <float[2] c = {1, 2}> { y = Relu(x) }",
    "nothing": "agraph (float[N,4] x) => (float[N,4] y) <float[0,4] c = {}> { y = Concat<axis=0>(x, c) }",
    "empty": "agraph (float[0,4] x) => (float[0,4] y) { y = Relu(x) }",
    "unread": "agraph (float[N,4] x, float[N,2] a) => (float[N,4] y) { y = Relu(x) }",
    "text": "agraph (string[N] x) => (string[N] y) { y = Identity(x) }",
    "long": "agraph (int64[N] x) => (int64[N] y) { y = Add(x, x) }",
    "without": "agraph () => (float[2] y) <float[2] c = {1, -2}> { y = Relu(c) }",
    "none": "agraph (float[N] x) => () { y = Relu(x) }",
    "unknown": '<ir_version: 9, opset_import: ["": 17, "acme": 1]> agraph (float[N,4] x) => (float[N,4] y) '
    "{ y = acme.Magic(x) }",
    "far": "agraph (float[N,3,8,8] x) => (int64 z) { y = LRN<size=2147483648>(x) z = Size(y) }",
    "zero": "agraph (float[N,3,8,8] x) => (float[N,3,1,1] y) { y = GlobalLpPool<p=0>(x) }",
    "letters": 'agraph (float[N,3] x) => (float y) { y = Einsum<equation="">(x) }',
    "old": '<ir_version: 9, opset_import: ["": 9]> agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }',
}
"""Odd graphs; of those that are refused, what is said of them, by output where it differs."""

REFUSALS: dict[str, Mapping[str, str]] = {
    "scalar": {"out.keras": "input 'x' has no batch dimension"},
    "initialiser": {"out.keras": "output 'c' depends on no input"},
    "empty": {"out.tflite": "does not run"},
    "text": {"out.keras": "Invalid dtype"},
    "without": {"out.keras": "output 'y' depends on no input"},
    "none": dict.fromkeys(OUTS, "the model has no outputs"),
    "unknown": dict.fromkeys(OUTS, "(acme::Magic, inputs [?, 4]): it has no rule for TensorFlow"),
    "far": dict.fromkeys(
        OUTS, "(LRN, inputs [?, 3, 8, 8]): its numbers are out of range (Python integer 2147483650 out"
    ),
    "zero": dict.fromkeys(OUTS, "(GlobalLpPool, inputs [?, 3, 8, 8]): its numbers are out of range (division by zero)"),
    "letters": dict.fromkeys(OUTS, "the equation has 0 letters for input 0, which has 2 axes"),
    "old": dict.fromkeys(OUTS, "uses opset 9, older than 11"),
}


@pytest.mark.parametrize("out", OUTS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_graphs_are_written_or_refused_in_one_line(
    odd: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ODD[odd] if ODD[odd].startswith("<") else f'<ir_version: 9, opset_import: ["": 17]> {ODD[odd]}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    arguments = ["convert", str(tmp_path / "net.onnx"), "-o", str(tmp_path / "o" / out)]
    if out in REFUSALS.get(odd, {}):
        assert REFUSALS[odd][out] in refused(arguments, capsys)
        assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())
    else:
        assert _run(arguments) == 0
        assert [item.name for item in (tmp_path / "o").iterdir()] == [out]


@pytest.mark.parametrize("out", OUTS[:-1])
def test_weights_that_are_no_numbers_go_as_they_are(out: str, tmp_path: Path) -> None:
    weight = np.eye(4, dtype=np.float32)
    weight[0, 0], weight[1, 1] = np.inf, np.nan
    model = testing.model("agraph (float[N,4] x, float[4,4] w) => (float[N,4] y) { y = MatMul(x, w) }", w=weight)
    model_files.save(model, tmp_path / "net.onnx")
    assert _run(["convert", str(tmp_path / "net.onnx"), "-o", str(tmp_path / out)]) == 0
    (result,) = read_back(tmp_path / out).run({"x": np.zeros((1, 4), np.float32)}).values()
    assert np.isnan(result[0, :2]).all()


def test_branches_in_branches(tmp_path: Path) -> None:
    body, inner = [helper.make_node("Relu", ["x"], ["r0"])], "r0"
    info = [helper.make_tensor_value_info(f"{kind}{level}", 1, ("N", 4)) for level in range(20) for kind in "rn"]
    values = {value.name: value for value in info}
    for level in range(1, 20):
        then = helper.make_graph(body, f"then{level}", [], [values[inner]])
        negative = helper.make_node("Neg", ["x"], [f"n{level}"])
        orelse = helper.make_graph([negative], f"else{level}", [], [values[f"n{level}"]])
        body, inner = [helper.make_node("If", ["c"], [f"r{level}"], then_branch=then, else_branch=orelse)], f"r{level}"
    inputs = [helper.make_tensor_value_info("x", 1, ("N", 4)), helper.make_tensor_value_info("c", 9, ())]
    graph = helper.make_graph(body, "g", inputs, [values[inner]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "n.onnx")
    x = np.array([[1, -2, 3, -4]], np.float32)
    for out in ("out.pb", "out"):
        assert _run(["convert", str(tmp_path / "n.onnx"), "-o", str(tmp_path / out)]) == 0
        runner = read_back(tmp_path / out)
        for choice, expected in ((True, np.maximum(x, 0)), (False, -x)):
            np.testing.assert_array_equal(runner.run({"x": x, "c": np.array(choice)})[inner], expected)


def test_folders_that_are_not_ours_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = network(tmp_path / "net.onnx")
    home = tmp_path / "home"
    (home / "inside").mkdir(parents=True)
    (home / "letter").write_text("dear")
    monkeypatch.chdir(home / "inside")
    for out in (".", "./", "..", "", str(home), "../../home/"):
        assert "is the folder you are in, or is around it" in refused(["convert", str(source), "-o", out], capsys)
    monkeypatch.chdir(tmp_path)
    assert "holds something that is no SavedModel" in refused(["convert", "net.onnx", "-o", "home"], capsys)
    assert _run(["convert", "net.onnx", "-o", "made/"]) == 0
    (tmp_path / "made" / "notes").write_text("mine")
    capsys.readouterr()
    assert "holds a SavedModel and 'notes', which would be lost" in refused(
        ["convert", "net.onnx", "-o", "made"], capsys
    )
    assert sorted(item.name for item in home.iterdir()) == ["inside", "letter"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["home", "made", "net.onnx"]


@pytest.mark.parametrize("out", OUTS)
def test_what_is_in_the_way_stays(out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = network(tmp_path / "net.onnx")
    if out == "out":
        (tmp_path / out).write_text("mine")
        expected = "'out' is a file; name a folder"
    else:
        (tmp_path / out).mkdir()
        expected = f"'{out}' is a folder; name a file in it"
    assert expected in refused(["convert", str(source), "-o", str(tmp_path / out)], capsys)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["net.onnx", out]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "a.pb", "--mode", "half"], 2, "backend 'tensorflow-pb': option 'mode' must be 'float' or 'fake-quant'"),
        (["-o", "a/", "--mode", "quantize-weights"], 2, "backend 'savedmodel': option 'mode' must be"),
        (["-o", "a.keras", "--mode", "float"], 2, "no option 'mode' in frontend 'onnx' or backend 'keras'"),
        (["-o", "a.onnx", "--nhwc"], 2, "no option 'nhwc' in frontend 'onnx' or backend 'onnx'"),
        (["-o", "a.pb", "--precision", "int8"], 2, "no option 'precision' in frontend 'onnx' or backend"),
        (["-o", "a.tflite", "--batch", "many"], 2, "option 'batch' must be int or none, not 'many'"),
        (["-o", "a.tflite", "--batch", "0"], 2, "a batch has at least one sample, not 0"),
        (["-o", "a.tflite", "--integer-io"], 2, "option 'integer_io' goes with precision int8, not float"),
        (["-o", "a.tflite", "--precision", "int8"], 1, "takes its scales from QuantizeLinear nodes, and the model has"),
        (["-o", "a.pbx"], 2, "no backend writes 'a.pbx'; give the output one of the suffixes: .record (amct-record)"),
        (["-o", "net.onnx/a.pb"], 1, "cannot write in "),
        (["-o", "/proc/a.pb"], 1, "cannot write in /proc: "),
        (["-o", "/proc/a/"], 1, "cannot write in /proc: "),
    ],
)
def test_options_and_places_that_do_not_fit(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    assert message in refused(["convert", "net.onnx", *arguments], capsys, code)
    assert [item.name for item in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("out", OUTS)
def test_json_names_what_was_written(out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = network(tmp_path / "net.onnx")
    assert _run(["convert", str(source), "-o", str(tmp_path / out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == [str(tmp_path / out)] and told["size_after"] > WEIGHT.nbytes


@pytest.mark.parametrize("out", ["out.pb", "out", "out.keras", "out.tflite"])
def test_what_was_written_is_compared_timed_and_inspected(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, written = str(network(tmp_path / "net.onnx")), str(tmp_path / out)
    assert _run(["convert", source, "-o", written]) == 0
    capsys.readouterr()
    assert _run(["compare", source, written, "--random-data", "--json"]) == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output["name"] == "scores" and output["cosine"] > 0.999999
    assert _run(["bench", source, written, "--runs", "2", "--json"]) == 0
    assert _run(["inspect", written, "--json"]) == 0


SCRIPT = """
import sys
from pathlib import Path
from onnxpress.cli import _run
for out in sys.argv[2:]:
    assert _run(["convert", sys.argv[1], "-o", out, "--json"]) == 0
"""


def test_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    source = network(tmp_path / "net.onnx")
    for folder, seed in (("one", "1"), ("two", "2")):
        outs = [str(tmp_path / folder / out) for out in OUTS]
        command = [sys.executable, "-c", SCRIPT, str(source), *outs]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
    contents = [
        {path.relative_to(tmp_path / folder): path.read_bytes() for path in (tmp_path / folder).rglob("*.*")}
        for folder in ("one", "two")
    ]
    assert len(contents[0]) >= 6 and contents[0] == contents[1]


@pytest.mark.parametrize("seed", range(8))
def test_corrupt_files(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = network(tmp_path / "net.onnx").read_bytes()
    out = tmp_path / "out.pb"
    for change in CORRUPTIONS:
        out.write_bytes(b"as it was")
        (tmp_path / "net.onnx").write_bytes(change(whole, np.random.default_rng(seed)))
        code = _run(["convert", str(tmp_path / "net.onnx"), "-o", str(out)])
        message = capsys.readouterr().err
        if code:
            assert out.read_bytes() == b"as it was"
            assert message.startswith("onnxpress: ") and message.count("\n") == 1 and "internal error" not in message
        else:
            assert FrozenGraph(out).ops()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["net.onnx", "out.pb"]


FULL = """
import resource, signal, sys
from onnxpress.cli import _run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for out in sys.argv[2:]:
    print(_run(["convert", sys.argv[1], "-o", out]), flush=True)
"""
"""The operating system refuses to write more than 100,000 bytes to a file, as it does on a full disk."""


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
    model = testing.model(
        "agraph (float[N,256] x, float[256,256] w) => (float[N,256] y) { y = MatMul(x, w) }", w=weight
    )
    model_files.save(model, tmp_path / "net.onnx")
    outs = [tmp_path / out for out in OUTS]
    for out in outs:
        if out.suffix:
            out.write_bytes(b"as it was")
    command = [sys.executable, "-c", FULL, str(tmp_path / "net.onnx"), *map(str, outs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"] * len(outs)
    lines = [line for line in done.stderr.splitlines() if line.startswith("onnxpress: ")]
    assert len(lines) == len(outs) and all("cannot write" in line for line in lines), lines
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx", *OUTS} - {"out"}
    assert all(out.read_bytes() == b"as it was" for out in outs if out.suffix)


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx")
    command = [sys.executable, "-m", "onnxpress.cli", "convert", "net.onnx", "-o", "out/"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".onnxpress-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message.splitlines()[-1] == "onnxpress: interrupted; no file is half-written"
    assert [item.name for item in tmp_path.iterdir()] == ["net.onnx"]

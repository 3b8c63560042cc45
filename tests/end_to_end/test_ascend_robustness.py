"""Ascend's files on the command line: one clear line for whatever is wrong, nothing lost, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from corruption import CORRUPTIONS
from onnxpress import model_files, testing
from onnxpress.ascend import deploy_files
from onnxpress.cli import _run

CHANNELS = 20
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "w": RANDOM.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32),
    "b": RANDOM.normal(size=CHANNELS).astype(np.float32),
    "m": RANDOM.normal(size=(8, 3)).astype(np.float32),
}
NETWORK = f"""agraph (float[N,{CHANNELS},8,8] x, float[{CHANNELS},{CHANNELS},3,3] w, float[{CHANNELS}] b, float[8,3] m)
    => (float[N,{CHANNELS},8,3] scores) {{
        conv = Conv<pads = [1,1,1,1]>(x, w, b)
        act = Relu(conv)
        scores = MatMul(act, m)
}}"""

DEPLOY, FAKE_QUANT, FROZEN = "net_deploy_model.onnx", "net_fake_quant_model.onnx", "net_quantized.pb"
RECORD, CONFIG = "net.record", "net.json"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command line is in, with a network and samples."""
    monkeypatch.chdir(tmp_path)
    model = testing.model(NETWORK, **WEIGHTS)
    for node in model.graph:
        node.name = node.outputs[0].name
    model_files.save(model, tmp_path / "net.onnx")
    samples = np.random.default_rng(1).normal(size=(4, CHANNELS, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=samples)
    return tmp_path


def compress(out: str) -> list[str]:
    return ["compress", "net.onnx", "--target", "ascend", "--data", "data.npz", "--no-bench", "--batch", "2", "-o", out]


def calibrate(record: str) -> list[str]:
    return ["calibrate", "net.onnx", "--data", "data.npz", "--record", record]


def configure(file: str) -> list[str]:
    return [
        "compress",
        "net.onnx",
        "--no-bench",
        "--recipe",
        "ascend-config",
        "--set",
        f"write-amct-config.file={file}",
    ]


def apply(record: str, out: str) -> list[str]:
    option = f"apply-record.record={record}"
    return [
        "compress",
        "net.onnx",
        "--no-bench",
        "--recipe",
        "ascend-record",
        "--set",
        option,
        "--batch",
        "2",
        "-o",
        out,
    ]


def with_config(config: str, out: str) -> list[str]:
    given = ["--amct-config", config, "--data", "data.npz", "--batch", "2", "-o", out]
    return ["compress", "net.onnx", "--no-bench", *given]


SIMULATE = ["simulate", DEPLOY, "--data", "data.npz"]

WRITERS = {DEPLOY: compress(DEPLOY), FROZEN: compress(FROZEN), RECORD: calibrate(RECORD), CONFIG: configure(CONFIG)}
"""The files of Ascend, and what writes them."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in ("net.onnx", "data.npz"))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The only line that a command says when it fails."""
    capsys.readouterr()
    assert _run(arguments) == code
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == "" and line.startswith("onnxpress: ") and "internal error" not in line
    return str(line)


@pytest.mark.parametrize(("blocked", "other"), [(DEPLOY, FAKE_QUANT), (FAKE_QUANT, DEPLOY)])
@pytest.mark.parametrize("old", [True, False], ids=["old", "none"])
def test_neither_of_two_files_is_new_where_one_cannot_go(
    old: bool, blocked: str, other: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / blocked).mkdir()
    if old:
        (folder / other).write_bytes(b"as it was")
    assert f"'{blocked}' is a folder; name a file in it" in refused(compress(DEPLOY), capsys)
    assert names(folder) == sorted([blocked, other] if old else [blocked])
    assert not old or (folder / other).read_bytes() == b"as it was"


def test_a_network_with_a_loop_is_written_and_read(folder: Path) -> None:
    """ONNX infers no shape for what a loop carries."""
    model = testing.model(
        f"""agraph (float[N,{CHANNELS},8,8] x, float[{CHANNELS},{CHANNELS},3,3] w, float[{CHANNELS}] b,
                int64 count, bool go) => (float[N,{CHANNELS},8,8] y) {{
                conv = Conv<pads = [1,1,1,1]>(x, w, b)
                y = Loop(count, go, conv) <body = body (int64 i, bool c, float[A,{CHANNELS},8,8] v)
                    => (bool d, float[B,{CHANNELS},8,8] u) {{ d = Identity(c) u = Relu(v) }}>
        }}""",
        w=WEIGHTS["w"],
        b=WEIGHTS["b"],
        count=np.array(2),
        go=np.array(True),
    )
    model_files.save(model, folder / "net.onnx")
    assert _run(compress(DEPLOY)) == 0
    assert _run(SIMULATE) == 0
    assert _run(["compare", "net.onnx", FAKE_QUANT, "--data", "data.npz"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([*compress(DEPLOY), "--batch", "0"], 2, "a batch has at least one sample, not 0"),
        (
            [*compress(DEPLOY), "--batch", "two"],
            2,
            "backend 'ascend-onnx': option 'batch' must be int or none, not 'two'",
        ),
        ([*compress(DEPLOY), "--nhwc"], 2, "no option 'nhwc' in frontend 'onnx' or backend 'ascend-onnx'"),
        ([*compress(DEPLOY), "--target", "ascendd"], 2, "no target is called 'ascendd'; did you mean 'ascend'?"),
        ([*compress(DEPLOY), "--data", "nowhere.npz"], 1, "no data at nowhere.npz"),
        (
            [*compress(DEPLOY), "--set", "insert-qdq.exclude_nodes=cnv"],
            2,
            "no node is called 'cnv'; did you mean 'conv'?",
        ),
        (compress("/proc/x_deploy_model.onnx"), 1, "cannot write in /proc: "),
        (compress("/proc/x_quantized.pb"), 1, "cannot write in /proc: "),
        (compress("net.onnx/x_deploy_model.onnx"), 1, "cannot write in "),
        (calibrate("/proc/x.record"), 1, "cannot write in /proc: "),
        (calibrate("."), 1, "cannot write in "),
        (["calibrate", "net.onnx", "--data", "data.npz"], 2, "nothing to write: give --record FILE"),
        (["calibrate", "net.onnx", "--record", "x.record"], 1, "calibration has no data"),
        (
            [*configure("x.json"), "--set", "write-amct-config.skip_layers=cnv"],
            2,
            "pass 'write-amct-config', skip_layers: no node is called 'cnv'; did you mean 'conv'?",
        ),
        (configure("/proc/x.json"), 1, "cannot write in /proc: "),
        (apply("nowhere.record", DEPLOY), 1, "cannot read the record nowhere.record: No such file or directory"),
        (apply(".", DEPLOY), 1, "cannot read the record .: Is a directory"),
        (apply("net.onnx", DEPLOY), 1, "cannot read the record net.onnx: "),
        (with_config("nowhere.json", DEPLOY), 2, "cannot read nowhere.json: No such file or directory"),
        (with_config(".", DEPLOY), 2, "cannot read .: Is a directory"),
        (
            ["convert", "net.onnx", "-o", DEPLOY, "--batch", "1"],
            1,
            "no DequantizeLinear, so there is nothing to deploy",
        ),
        (
            ["convert", "net.onnx", "-o", FROZEN, "--batch", "1"],
            1,
            "no DequantizeLinear, so there is nothing to deploy",
        ),
        (["convert", "net.onnx", "-o", RECORD], 1, "the model has no integers to record"),
        (["simulate", "net.onnx", "--data", "data.npz"], 1, "net.onnx is no deploy model: none of its nodes is"),
        (["simulate", "nowhere.onnx", "--data", "data.npz"], 1, "nowhere.onnx does not exist"),
        (["simulate", ".", "--data", "data.npz"], 1, "cannot read .: Is a directory"),
    ],
)
def test_options_and_places_that_do_not_fit(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(arguments, capsys, code)
    assert names(folder) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 1, "a simulation needs samples; give --data PATH, or --random-data to run on noise"),
        (["--data", "data.npz", "--probe", "nothing", "-o", "t.npz"], 1, "the model has no value called 'nothing'"),
        (["--data", "data.npz", "--probe", "conv.quant.output0"], 2, "--probe names what goes into a file; give --out"),
        (["--data", "data.npz", "-o", "t.txt"], 2, "--out is a .npz file, not 't.txt'"),
        (["--data", "data.npz", "-o", "/proc/t.npz"], 1, "cannot write in /proc: "),
        (["--data", "data.npz", "--labels", "nowhere.npy"], 1, "cannot read nowhere.npy"),
        (["--data", "data.npz", "--against", "nowhere.onnx"], 1, "nowhere.onnx does not exist"),
    ],
)
def test_simulations_that_cannot_be(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(compress(DEPLOY)) == 0
    assert message in refused(["simulate", DEPLOY, *arguments], capsys, code)
    assert names(folder) == [DEPLOY, FAKE_QUANT]


def test_a_name_that_exists_alone_chooses_the_format(folder: Path) -> None:
    for out in ("plain.onnx", "plain.v1"):
        assert _run([*compress(out), "--backend", "ascend-onnx"]) == 0
    both = [f"plain{middle}_{kind}_model.onnx" for middle in ("", ".v1") for kind in ("deploy", "fake_quant")]
    assert names(folder) == sorted(both)


def test_spaces_and_letters_of_any_alphabet(folder: Path) -> None:
    place = folder / "größe 网络"
    place.mkdir()
    record, deploy = f"{place}/a b.record", f"{place}/nét 1_deploy_model.onnx"
    assert _run(calibrate(record)) == 0
    assert _run(apply(record, deploy)) == 0
    assert _run(["simulate", deploy, "--data", "data.npz", "-o", f"{place}/résultat.npz"]) == 0
    assert [path.name for path in sorted(place.iterdir())] == [
        "a b.record",
        "nét 1_deploy_model.onnx",
        "nét 1_fake_quant_model.onnx",
        "résultat.npz",
    ]


def test_json_is_all_that_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {
        DEPLOY: [DEPLOY, FAKE_QUANT],
        FROZEN: [FROZEN],
        RECORD: [RECORD],
        CONFIG: [],
    }
    for out, arguments in WRITERS.items():
        assert _run([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["files"] == wanted[out]
    assert names(folder) == sorted([DEPLOY, FAKE_QUANT, FROZEN, RECORD, CONFIG])
    for profile in ("rint", "tf", "device"):
        assert _run([*SIMULATE, "--profile", profile, "--against", "net.onnx", "--json"]) == 0
        said = capsys.readouterr()
        told = json.loads(said.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert told["samples"] == 4 and told["layers"] == 2 and said.err == ""


SCRIPT = """
import json, sys
from onnxpress.cli import _run
for arguments in json.loads(sys.argv[1]):
    assert _run([*arguments, "--json"]) == 0, arguments
"""


def test_the_same_bytes_in_every_process(folder: Path) -> None:
    simulation = [*SIMULATE, "--probe", "conv.quant.output0", "-o", "net.npz"]
    commands = json.dumps([*WRITERS.values(), simulation])
    written = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", SCRIPT, commands], check=True, capture_output=True, env=environment)
        written.append({name: (folder / name).read_bytes() for name in names(folder)})
        for name in names(folder):
            (folder / name).unlink()
    assert len(written[0]) == 6 and written[0] == written[1]


READERS = {
    DEPLOY: [
        ["inspect", "damaged_deploy_model.onnx"],
        ["simulate", "damaged_deploy_model.onnx", "--random-data", "-o", "out.npz"],
        ["convert", "damaged_deploy_model.onnx", "-o", "out_deploy_model.onnx"],
        ["convert", "damaged_deploy_model.onnx", "-o", "out_quantized.pb"],
    ],
    FAKE_QUANT: [["convert", "damaged_fake_quant_model.onnx", "-o", "out_deploy_model.onnx"]],
    RECORD: [apply("damaged.record", "out_deploy_model.onnx")],
    CONFIG: [with_config("damaged.json", "out_deploy_model.onnx")],
}
"""What reads each file, damaged."""

OUTS = ("out.npz", "out_deploy_model.onnx", "out_fake_quant_model.onnx", "out_quantized.pb")


@pytest.mark.parametrize("file", READERS)
def test_damaged_files(file: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(WRITERS.get(file, WRITERS[DEPLOY])) == 0
    whole, damaged, generator = (folder / file).read_bytes(), folder / file.replace("net", "damaged"), RANDOM
    for round in range(10 * len(CORRUPTIONS)):
        damaged.write_bytes(CORRUPTIONS[round % len(CORRUPTIONS)](whole, generator))
        for arguments in READERS[file]:
            for out in OUTS:
                (folder / out).write_bytes(b"as it was")
            capsys.readouterr()
            code, message = _run(arguments), capsys.readouterr().err
            kept = [out for out in OUTS if (folder / out).read_bytes() == b"as it was"]
            if code:
                assert code in (1, 2) and message.startswith("onnxpress: ") and message.count("\n") == 1
                assert "internal error" not in message
                assert kept == list(OUTS)
            assert (OUTS[1] in kept) == (OUTS[2] in kept)
    expected = {DEPLOY, FAKE_QUANT} if file in (DEPLOY, FAKE_QUANT) else {file}
    assert set(names(folder)) == {*OUTS, *expected, damaged.name}


FULL = """
import json, resource, signal, sys
from onnxpress.cli import _run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
for arguments in json.loads(sys.argv[1]):
    print(_run(arguments), flush=True)
"""
"""The operating system refuses to write more than some bytes to a file, as it does on a full disk."""


@pytest.mark.parametrize(
    ("limit", "outs"),
    [(300, [DEPLOY, FROZEN, RECORD, CONFIG, "net.npz"]), (6_000, [DEPLOY, FROZEN, "net.npz"])],
    ids=["nothing fits", "small files fit"],
)
def test_a_full_disk_leaves_what_was_there(limit: int, outs: list[str], folder: Path) -> None:
    assert _run(compress("ready_deploy_model.onnx")) == 0
    simulation = ["simulate", "ready_deploy_model.onnx", "--data", "data.npz", "-o", "net.npz"]
    commands = {**WRITERS, "net.npz": simulation}
    for out in (*outs, FAKE_QUANT):
        (folder / out).write_bytes(b"as it was")
    arguments = json.dumps([commands[out] for out in outs])
    done = subprocess.run(
        [sys.executable, "-c", FULL, arguments, str(limit)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"] * len(outs)
    lines = [line for line in done.stderr.splitlines() if line.startswith("onnxpress: ")]
    assert len(lines) == len(outs) and all("cannot write" in line for line in lines), lines
    assert all((folder / out).read_bytes() == b"as it was" for out in (*outs, FAKE_QUANT))
    assert not [name for name in names(folder) if name.startswith(".")]


SLOW_SAMPLES = """
import time
from pathlib import Path

import numpy as np


def samples():
    yield dict(np.load("data.npz"))
    Path("begun").touch()
    time.sleep(60)
"""


@pytest.mark.parametrize("out", [DEPLOY, FROZEN, RECORD])
def test_ctrl_c_leaves_what_was_there(out: str, folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW_SAMPLES)
    before = {DEPLOY, FAKE_QUANT, FROZEN, RECORD, "slow.py"}
    for old in before - {"slow.py"}:
        (folder / old).write_bytes(b"as it was")
    command = [sys.executable, "-m", "onnxpress.cli", *WRITERS[out], "--data", "slow:samples"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    deadline = time.monotonic() + 60
    while not (folder / "begun").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message.splitlines()[-1] == "onnxpress: interrupted; no file is half-written"
    assert set(names(folder)) == {*before, "begun"}
    assert all((folder / old).read_bytes() == b"as it was" for old in before - {"slow.py"})


def test_every_file_is_read_again(folder: Path) -> None:
    for arguments in WRITERS.values():
        assert _run(arguments) == 0
    assert _run(apply(RECORD, "recorded_deploy_model.onnx")) == 0
    assert _run(with_config(CONFIG, "configured_deploy_model.onnx")) == 0
    for file in (DEPLOY, FAKE_QUANT):
        again = file.replace("net", "again")
        assert _run(["convert", file, "-o", "again_deploy_model.onnx"]) == 0
        assert (folder / again).read_bytes() == (folder / file).read_bytes()
    for file in (DEPLOY, FAKE_QUANT, FROZEN, "recorded_deploy_model.onnx", "configured_deploy_model.onnx"):
        assert _run(["compare", "net.onnx", file, "--data", "data.npz"]) == 0
    assert deploy_files.is_deploy(deploy_files.load(folder / DEPLOY))

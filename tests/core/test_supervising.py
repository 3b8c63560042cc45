"""Commands that die: one line, exit code 1, nothing left; signals reach the process that works, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from onnxpress.cli.supervising import supervise
from onnxpress.files import atomic

def native(text):
    os.write(2, text.encode())

def work():
{work}

sys.exit(supervise(work, ["convert", "x.pb", "--out=deep/out.onnx"]))
"""

HALF_WRITTEN = """
with atomic(Path("deep/out.onnx")) as staged:
    staged.write_text("half")
    Path("writing").touch()
    {then}
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are supervised on Linux only")


def start(work: str, folder: Path, *, prelude: str = "") -> subprocess.Popen[str]:
    indented = "\n".join(f"    {line}" for line in work.strip().splitlines())
    return subprocess.Popen(
        [sys.executable, "-c", prelude + PROGRAM.format(work=indented)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "ONNXPRESS_DEBUG"},
    )


def run(work: str, folder: Path) -> tuple[int, str, str]:
    process = start(work, folder)
    shown, complained = process.communicate(timeout=60)
    return process.returncode, shown, complained


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


@pytest.mark.parametrize("code", [0, 2])
def test_what_ends_by_itself_keeps_its_output_and_exit_code(tmp_path: Path, code: int) -> None:
    work = f"native('chatter')\nprint('result')\nprint('note', file=sys.stderr)\nreturn {code}"
    assert run(work, tmp_path) == (code, "result\n", "note\n")


def test_an_abort_is_one_line_with_the_failed_check(tmp_path: Path) -> None:
    work = (
        "native('W0000 00:00:1.2 3 a.cc:4] careful\\n')\n"
        "native('F0000 00:00:1.2 3 tensor.cc:896] Check failed: 22 == 1 float expected\\n    @ 0x7f trace\\n')\n"
        "os.abort()"
    )
    assert run(work, tmp_path) == (
        1,
        "",
        "onnxpress: a native library crashed (SIGABRT: 22 == 1 float expected); the model file may be corrupt; "
        "no file is half-written\n",
    )


def test_a_caller_that_ignores_the_end_of_its_children(tmp_path: Path) -> None:
    process = start("return 3", tmp_path, prelude="import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    process.communicate(timeout=60)
    assert process.returncode == 3


def test_a_crash_without_words(tmp_path: Path) -> None:
    code, _, complained = run("os.kill(os.getpid(), signal.SIGSEGV)\ntime.sleep(60)", tmp_path)
    assert (code, complained.count("\n")) == (1, 1)
    assert "a native library crashed (SIGSEGV); the model file may be corrupt" in complained


def test_what_was_half_written_is_removed_and_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "out.onnx").write_text("old")
    code, _, complained = run(HALF_WRITTEN.format(then="os.kill(os.getpid(), signal.SIGKILL)"), tmp_path)
    assert (code, complained) == (
        1,
        "onnxpress: killed (SIGKILL), perhaps for want of memory; no file is half-written\n",
    )
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.onnx"]
    assert (tmp_path / "deep" / "out.onnx").read_text() == "old"


def test_a_termination_is_passed_on(tmp_path: Path) -> None:
    process = start(HALF_WRITTEN.format(then="time.sleep(60)"), tmp_path)
    wait_for(tmp_path / "writing", process)
    process.terminate()
    _, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (1, "onnxpress: terminated (SIGTERM); no file is half-written\n")
    assert list((tmp_path / "deep").iterdir()) == []


def test_an_interrupt_of_the_first_process_alone_reaches_the_second_once(tmp_path: Path) -> None:
    work = (
        "try:\n    Path('ready').touch()\n    time.sleep(60)\nexcept KeyboardInterrupt:\n"
        "    time.sleep(0.5)\n    print('cleaned up')\nreturn 7"
    )
    process = start(work, tmp_path)
    wait_for(tmp_path / "ready", process)
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=60)[0], process.returncode) == ("cleaned up\n", 7)


def test_the_second_process_dies_with_the_first(tmp_path: Path) -> None:
    process = start("Path('ready').touch()\ntime.sleep(600)", tmp_path)
    wait_for(tmp_path / "ready", process)
    process.kill()
    process.communicate(timeout=60)  # returns when the second has closed its end of the pipes
    assert process.returncode == -signal.SIGKILL


def test_a_terminal_stays_one_and_ctrl_c_reaches_the_second_process_once(tmp_path: Path) -> None:
    import pty

    work = (
        "native('chatter')\nprint(sys.stdout.isatty(), sys.stderr.isatty())\ntry:\n    Path('ready').touch()\n"
        "    time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(0.3)\n    print('cleaned up')\nreturn 7"
    )
    indented = "\n".join(f"    {line}" for line in work.splitlines())
    child, terminal = pty.fork()
    if not child:
        os.chdir(tmp_path)
        os.environ.pop("ONNXPRESS_DEBUG", None)
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM.format(work=indented)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    shown = os.read(terminal, 4096).decode().split()
    assert shown == ["True", "True", "^Ccleaned", "up"]

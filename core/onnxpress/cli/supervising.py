"""A command that dies of a signal still ends with one line, exit code 1, and no file half-written.

A corrupt model file can make TensorFlow abort the whole process from inside its C++ (a failed ``CHECK``).  So the
process that the user started only waits: it forks before anything heavy is imported, which takes some milliseconds, and
the fork does the work.  What native libraries write to standard error is kept aside; the last of it is shown when they
crash.  The terminal sends Ctrl-C to both processes; a signal that somebody sends to the first alone is passed on, and
when the first is killed the second dies with it.

Only Linux tells who sent a signal, so elsewhere, and with ``ONNXPRESS_DEBUG`` set, commands run unsupervised.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from onnxpress.files import remove_staged

_WATCHED = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM) if sys.platform == "linux" else ()
_FATAL = re.compile(r"^F\d{4} .*?\] (?:Check failed: )?(.*)", re.MULTILINE)
"""How TensorFlow's log begins the line of a failed check; a stack trace follows."""


def supervise(work: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run `work` in a fork of this process and return its exit code, 1 if a signal ended it.

    Args:
        work: What to do; it returns the exit code.
        arguments: The command line; staging folders are removed beside every path in it.
    """
    if sys.platform != "linux" or os.environ.get("ONNXPRESS_DEBUG"):
        return work()
    log = os.memfd_create("native-standard-error")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever ignores it hands that down, and nobody would be told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    parent, child = os.getpid(), os.fork()
    if not child:
        _die_with(parent)
        _set_native_errors_aside(log)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()
    status = _wait(child)
    if status:
        remove_staged({Path(argument.rpartition("=")[2]).absolute().parent for argument in arguments}, child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    click.echo(f"onnxpress: {_obituary(os.WTERMSIG(status), _last_words(log))}; no file is half-written", err=True)
    return 1


def _wait(child: int) -> int:
    while True:
        received = signal.sigwaitinfo(_WATCHED)
        if received.si_signo != signal.SIGCHLD:
            if received.si_code <= 0:  # SI_USER and its like: from a process; the terminal sends to both by itself
                os.kill(child, received.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status


def _die_with(parent: int) -> None:
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def _set_native_errors_aside(log: int) -> None:
    """Python goes on writing to the terminal; file descriptor 2, which C and C++ write to, becomes `log`."""
    if sys.stderr is None:
        return
    sys.stderr.flush()
    terminal = os.dup(sys.stderr.fileno())
    sys.stderr = os.fdopen(terminal, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    os.dup2(log, 2)


def _last_words(log: int) -> str:
    text = os.pread(log, 1 << 20, 0).decode(errors="replace").strip()
    fatal = _FATAL.findall(text)
    return (fatal[:1] or text.split("\n"))[-1].strip()[:300]


def _obituary(number: int, words: str) -> str:
    name = signal.Signals(number).name
    if number == signal.SIGINT:  # outside of Python, or while Python was busy with the same
        return "interrupted"
    if number == signal.SIGTERM:
        return f"terminated ({name})"
    if number == signal.SIGKILL:
        return f"killed ({name}), perhaps for want of memory"
    cause = f": {words}" if words else ""
    return f"a native library crashed ({name}{cause}); the model file may be corrupt"

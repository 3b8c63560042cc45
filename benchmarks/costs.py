"""CPU time and peak memory of one case, each in a process of its own, so that no case pays for or hides behind another.

CPU time rather than wall time: it hardly depends on what else the machine does.  The peak is that of the process's own
memory (``VmHWM``); `getrusage` would also report the memory of the parent from before `exec`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD_FLAG = "--case"


@dataclass
class Cost:
    """What a case took.

    Attributes:
        cpu_seconds: CPU seconds, all threads, of what was timed.
        peak_mb: Peak resident memory of the whole process, in 10^6 bytes.
        idle_mb: Resident memory after the imports, before the work, in 10^6 bytes.
        wall_seconds: What the clock said of what was timed, on a machine that may do other things as well.
    """

    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    idle_mb: float = 0.0
    wall_seconds: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of the block."""
        start, began = time.process_time(), time.perf_counter()
        yield
        self.cpu_seconds += time.process_time() - start
        self.wall_seconds += time.perf_counter() - began


def in_child(script: str, case: Mapping[str, Any]) -> Cost:
    """Run one case of `script` in a fresh process.

    Raises:
        RuntimeError: The case failed; the message holds what it wrote.
    """
    done = subprocess.run(
        [sys.executable, script, CHILD_FLAG, json.dumps(case)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"},
    )
    if done.returncode:
        raise RuntimeError(f"case {case} failed:\n{done.stderr[-4000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def run_child(work: Callable[..., Cost]) -> bool:
    """In a child, run its case and print the cost; tells whether this is a child."""
    if CHILD_FLAG not in sys.argv:
        return False
    cost = work(**json.loads(sys.argv[sys.argv.index(CHILD_FLAG) + 1]))
    cost.peak_mb = _status_mb("VmHWM")
    print(json.dumps(vars(cost)))
    return True


def resident_mb() -> float:
    """Resident memory of this process now, in 10^6 bytes."""
    return _status_mb("VmRSS")


def _status_mb(key: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS
    line = next(line for line in status.read_text().splitlines() if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024 / 1e6

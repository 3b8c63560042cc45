"""A clock that asks onnxruntime (`latency` says why, and what for).

What is timed is built as a model of its own (`timed_models`) and run by one thread, which is the caller's, so that its
CPU time is that of the model.  What was measured stays in memory and, if a file is named, in that file for later runs:
JSON, with the processor and the version of onnxruntime that it holds for; of another machine nothing is taken.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidData
from onnxpress.files import atomic
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.speed.latency import MODELS, Clock, Job, Modelled, Precision
from onnxpress_plugins.decomposition.speed.timed_models import model_of

_RUNS, _SECONDS = 5, 0.1
"""Least number of timed runs, and the CPU time to spend on more."""

_CPU_INFO = Path("/proc/cpuinfo")


def clock(precision: Precision, path: Path | None) -> Clock:
    """The clock that keeps its measurements in a file; without a file the model, which gives the same everywhere.

    Raises:
        InvalidData: `path` is no file of measurements.
    """
    if path is not None:
        return Measured(path, precision=precision)
    return MODELS[precision]


class Measured:
    """The clock.

    Args:
        path: Where measurements are kept, and looked up; None keeps them in memory.
        precision: What is timed: layers in float, or between the nodes that quantise them.

    Raises:
        InvalidData: `path` is no file of measurements.
    """

    def __init__(self, path: Path | None = None, *, precision: Precision = "float32") -> None:
        self._path, self._precision = path, precision
        self._machine = machine()
        self._known = {} if path is None else _load(path, self._machine)

    @property
    def label(self) -> str:
        """As `Clock` says."""
        return "measured"

    @property
    def model(self) -> Modelled:
        """As `Clock` says."""
        return MODELS[self._precision]

    def seconds(self, jobs: Sequence[Job]) -> float:
        """CPU seconds of one thread, the least of several runs.

        Raises:
            InvalidModel: onnxruntime rejects the jobs.
        """
        key = "; ".join([*map(_spelt, jobs), *["int8"] * (self._precision == "int8")])
        if key not in self._known:
            self._known[key] = _measure(model_of(jobs, self._precision))
            if self._path is not None:
                with atomic(self._path) as staged:
                    staged.write_text(json.dumps({"machine": self._machine, "seconds": self._known}, indent=1) + "\n")
        return self._known[key]


def machine(cpu_info: Path = _CPU_INFO) -> str:
    """What measurements hold for: the processor, and the version of onnxruntime."""
    import onnxruntime

    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, onnxruntime {onnxruntime.__version__}"


def _load(path: Path, machine: str) -> dict[str, float]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        if found["machine"] != machine:
            return {}
        known = {str(key): float(value) for key, value in found["seconds"].items()}
        if not all(0 < seconds < inf for seconds in known.values()):
            raise ValueError
        return known
    except OSError as error:
        raise InvalidData(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidData(f"{path} holds no measured latencies; delete it or name another file") from error


def _measure(model: ir.Model) -> float:
    session = Session(model, optimize=True, threads=1)
    (port,) = session.inputs
    shape = tuple(size for size in port.shape or () if isinstance(size, int))
    random = np.random.default_rng(0)
    is_float = port.dtype == "float32"
    feeds = {
        port.name: random.standard_normal(shape, np.float32) if is_float else random.integers(0, 256, shape, np.uint8)
    }
    session.run(feeds)
    least, spent, runs = float("inf"), 0.0, 0
    while runs < _RUNS or spent < _SECONDS:
        start = time.thread_time()
        session.run(feeds)
        took = time.thread_time() - start
        least, spent, runs = min(least, took), spent + took, runs + 1
    return least


def _spelt(job: Job) -> str:
    axes = zip(job.weight_shape[2:], job.strides, job.dilations, job.sizes_in, job.sizes_out, strict=True)
    kernel = (f"{taps}/{stride}/{dilation} of {before} to {behind}" for taps, stride, dilation, before, behind in axes)
    return ", ".join([f"{job.repeats} x {job.weight_shape[1]} to {job.weight_shape[0]}", *kernel])

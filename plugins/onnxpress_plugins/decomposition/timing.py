"""A clock that asks onnxruntime (`latency` says why, and what for).

What is timed is built as a model of its own, with weights drawn from a generator, and run by one thread, which is the
caller's, so that its CPU time is that of the model.  What was measured stays in memory and, if a file is named, in that
file for later runs: JSON, with the processor and the version of onnxruntime that it holds for; of another machine
nothing is taken.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidData
from onnxpress.files import atomic
from onnxpress.runtime import Session
from onnxpress_plugins.constants import initializer
from onnxpress_plugins.decomposition.latency import Job

_RUNS, _SECONDS = 5, 0.1
"""Least number of timed runs, and the CPU time to spend on more."""

_CPU_INFO = Path("/proc/cpuinfo")


class Measured:
    """The clock.

    Args:
        path: Where measurements are kept, and looked up; None keeps them in memory.

    Raises:
        InvalidData: `path` is no file of measurements.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._machine = machine()
        self._known = {} if path is None else _load(path, self._machine)

    def seconds(self, jobs: Sequence[Job]) -> float:
        """CPU seconds of one thread, the least of several runs.

        Raises:
            InvalidModel: onnxruntime rejects the jobs.
        """
        key = "; ".join(map(_spelt, jobs))
        if key not in self._known:
            self._known[key] = _measure(_model(jobs))
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
        return {str(key): float(value) for key, value in found["seconds"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidData(f"{path} holds no measured latencies; delete it or name another file") from error


def _measure(model: ir.Model) -> float:
    session = Session(model, optimize=True, threads=1)
    (port,) = session.inputs
    shape = tuple(size for size in port.shape or () if isinstance(size, int))
    feeds = {port.name: np.random.default_rng(0).standard_normal(shape, np.float32)}
    session.run(feeds)
    least, spent, runs = float("inf"), 0.0, 0
    while runs < _RUNS or spent < _SECONDS:
        start = time.thread_time()
        session.run(feeds)
        took = time.thread_time() - start
        least, spent, runs = min(least, took), spent + took, runs + 1
    return least


def _model(jobs: Sequence[Job]) -> ir.Model:
    first = jobs[0]
    shape = (first.repeats, first.weight_shape[1], *first.sizes_in)
    data = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(shape))
    graph = ir.Graph([data], [], nodes=[], opset_imports={"": 17}, name="stack")
    value, random = data, np.random.default_rng(0)
    for number, job in enumerate(jobs):
        shape = job.weight_shape if job.sizes_in else job.weight_shape[::-1]
        weight = initializer(graph, f"w{number}", random.standard_normal(shape, np.float32))
        graph.append(_node(job, [value, weight]))
        value = graph[-1].outputs[0]
        value.name = f"y{number}"
    value.type = data.type
    graph.outputs.append(value)
    return ir.Model(graph, ir_version=10)


def _node(job: Job, inputs: Sequence[ir.Value]) -> ir.Node:
    if not job.sizes_in:
        return ir.node("MatMul", inputs)
    pads = [_padding(job, axis) for axis in range(len(job.sizes_in))]
    attributes = {
        "strides": job.strides,
        "dilations": job.dilations,
        "pads": [pad // 2 for pad in pads] + [pad - pad // 2 for pad in pads],
    }
    return ir.node("Conv", inputs, attributes=attributes)


def _padding(job: Job, axis: int) -> int:
    """Zeros that give an axis its size; where they lie takes no time."""
    reach = (job.weight_shape[axis + 2] - 1) * job.dilations[axis] + 1
    return max((job.sizes_out[axis] - 1) * job.strides[axis] + reach - job.sizes_in[axis], 0)


def _spelt(job: Job) -> str:
    axes = zip(job.weight_shape[2:], job.strides, job.dilations, job.sizes_in, job.sizes_out, strict=True)
    kernel = (f"{taps}/{stride}/{dilation} of {before} to {behind}" for taps, stride, dilation, before, behind in axes)
    return ", ".join([f"{job.repeats} x {job.weight_shape[1]} to {job.weight_shape[0]}", *kernel])

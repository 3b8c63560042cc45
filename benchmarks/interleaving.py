"""Latencies of several models in one process, in turns, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any


def latencies(models: Mapping[str, Path], feeds: Mapping[str, Any], *, runs: int, threads: int = 1) -> dict[str, float]:
    """Median milliseconds of each model in onnxruntime as it comes, apart from the number of threads.

    Args:
        models: ONNX files, all with the inputs of `feeds`.
        feeds: One batch.
        runs: Timed runs of each; a fifth as many go before, untimed.
        threads: Intra-op threads.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    sessions = {name: onnxruntime.InferenceSession(path, options) for name, path in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for run in range(-(runs // 5), runs):
        for name in sessions if run % 2 else reversed(sessions):
            start = time.perf_counter()
            sessions[name].run(None, dict(feeds))
            if run >= 0:
                times[name].append(time.perf_counter() - start)
    return {name: median(own) * 1000 for name, own in times.items()}

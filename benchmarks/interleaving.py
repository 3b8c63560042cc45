"""Latencies of several models in one process, in turns, so that whatever else the machine does falls on all alike.

With one thread a run happens in the calling thread; its CPU time is what the run would take on an idle machine, however
busy this one is.  Models are compared round by round: the median of the ratios forgets slow drifts of the clock.  Two
sessions of one model may differ by several per cent, by where their memory lies, so each model is opened several times.
Each timed run follows an untimed one of the same model, or what ran before would decide what is in the caches.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPENINGS = 4

Times = NDArray[np.float64]


def latencies(models: Mapping[str, Path], feeds: Mapping[str, Any], *, runs: int) -> dict[str, Times]:
    """Milliseconds of every run of each model at one thread, in onnxruntime as it comes: float64[OPENINGS * runs].

    Args:
        models: ONNX files, all with the inputs of `feeds`.
        feeds: One batch.
        runs: Timed runs of each model each time it is opened.
    """
    sets = [_one_opening(models, feeds, runs) for _ in range(OPENINGS)]
    return {name: np.concatenate([times[name] for times in sets]) for name in models}


def _one_opening(models: Mapping[str, Path], feeds: Mapping[str, Any], runs: int) -> dict[str, Times]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {name: onnxruntime.InferenceSession(path, options) for name, path in models.items()}
    times = {name: np.zeros(runs) for name in models}
    for run in range(runs):
        for name, session in sessions.items():
            session.run(None, dict(feeds))
            start = time.thread_time()
            session.run(None, dict(feeds))
            times[name][run] = (time.thread_time() - start) * 1000
    return times


def gain(slow: Times, fast: Times) -> float:
    """How many times as fast `fast` is: the median ratio of rounds."""
    return float(np.median(slow / fast))

"""A process that has imported TensorFlow and numpy and nothing else, and runs frozen graphs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf
for line in sys.stdin:
    job = json.loads(line)
    graph_def = tf.compat.v1.GraphDef.FromString(open(job["graph"], "rb").read())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    feeds = {name + ":0": array for name, array in np.load(job["feeds"]).items()}
    with tf.compat.v1.Session(graph=graph) as session:
        results = session.run([name + ":0" for name in job["fetches"]], feeds)
    np.savez(job["results"], *results)
    print("done", [name for name in ("onnxpress", "onnxruntime", "tf2onnx") if name in sys.modules], flush=True)
"""


class CleanTensorflow:
    """The process; `run` as often as needed, `close` at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(
        self, graph: Path, feeds: Mapping[str, np.ndarray[Any, Any]], fetches: Sequence[str]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """What the nodes `fetches` of a frozen graph give for these placeholders."""
        assert self._process.stdin is not None and self._process.stdout is not None
        inputs, outputs = self._folder / "feeds.npz", self._folder / "results.npz"
        np.savez(inputs, **dict(feeds))  # type: ignore[arg-type]
        job = {"graph": str(graph), "feeds": str(inputs), "fetches": list(fetches), "results": str(outputs)}
        self._process.stdin.write(f"{json.dumps(job)}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done []\n", "TensorFlow failed; see its error above"
        results = np.load(outputs)
        return {name: results[f"arr_{index}"] for index, name in enumerate(fetches)}

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

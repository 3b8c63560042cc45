"""Run every benchmark, each in a process of its own, and say which goals were met: ``python benchmarks/run_all.py``.

Arguments are handed on; ``--quick`` makes smoke runs whose figures mean nothing and are not written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from results import FOLDER, quick

BENCHMARKS = (
    "conversion",
    "graph_work",
    "large_model",
    "latency",
    "efficientnet_lite0",
    "ascend",
    "real_files",
    "tensorflow_size",
    "interchange",
    "emission",
    "round_trip",
    "backend_suite",
    "tf2onnx_failures",
    "factorization",
    "stack_latency",
    "decomposition",
    "compact_networks",
    "calibration",
)


def main() -> int:
    """Run them; the exit status is 1 when one of them failed to run, never for a goal that was missed."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    failed = []
    for name in BENCHMARKS:
        script = Path(__file__).with_name(f"{name}.py")
        if subprocess.run([sys.executable, script, *sys.argv[1:]], env=environment, check=False).returncode:
            failed.append(name)
        elif not quick():
            goals = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["goals"]
            print(f"{name}: {sum(goal['met'] for goal in goals)} of {len(goals)} goals met\n", flush=True)
    if failed:
        print(f"failed to run: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

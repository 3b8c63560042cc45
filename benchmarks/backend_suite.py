"""ONNX's own backend tests (`onnx.backend.test`) through the backend `tensorflow-pb`, run in TensorFlow.

Every case is emitted as a frozen graph, imported and run; outputs are compared as ONNX's runner does.  What TensorFlow
has no types or operators for is excluded by name, with the reason.  The share is that of the rest.

    python benchmarks/backend_suite.py -k "conv|pool"
"""

from __future__ import annotations

import argparse
import re
import tempfile
import unittest
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnx_ir as ir
from onnx.backend.base import Backend, BackendRep

from backend_suite_exclusions import EXCLUDED
from frozen_graphs import FrozenGraph
from onnxpress.errors import OnnxpressError
from results import Goal, write


class FrozenGraphRep(BackendRep):  # type: ignore[misc, no-any-unimported]
    """A case ready to run."""

    def __init__(self, graph: FrozenGraph, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.graph, self.inputs, self.outputs = graph, inputs, outputs

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """The outputs for inputs in order."""
        results = self.graph.run(dict(zip(self.inputs, inputs, strict=True)), self.outputs)
        self.graph.close()
        return tuple(_decoded(result) for result in results)


def _decoded(result: Any) -> Any:
    """Text is bytes in TensorFlow, and str in the expected outputs."""
    array = np.asarray(result, object) if isinstance(result, bytes) else np.asarray(result)
    if array.dtype != object:
        return result
    return np.array([item.decode() for item in array.flat], object).reshape(array.shape)


class TensorFlowBackend(Backend):  # type: ignore[misc, no-any-unimported]
    """ONNX's interface of a backend."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> FrozenGraphRep:
        """Emit a model and import it."""
        from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
        from onnxpress_backends.tensorflow.graphs.graph import legal_name

        parsed = ir.serde.deserialize_model(model)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "case.pb"
            TENSORFLOW_PB.emit(parsed, path)
            graph = FrozenGraph(path)
        inputs = [value for value in parsed.graph.inputs if not value.is_initializer()]
        return FrozenGraphRep(
            graph,
            [legal_name(value.name or "") for value in inputs],
            [legal_name(value.name or "") for value in parsed.graph.outputs],
        )

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """The CPU."""
        return device == "CPU"


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        suite: ``node``, ``simple``, ``pytorch-converted`` or ``pytorch-operator``.
        name: Its name, without ``test_`` and the device.
        state: ``passed``, ``refused``, ``failed`` or ``excluded``.
        why: The message, or the reason of the exclusion.
    """

    suite: str
    name: str
    state: str
    why: str = ""


SUITES = {
    "OnnxBackendNodeModelTest": "node",
    "OnnxBackendSimpleModelTest": "simple",
    "OnnxBackendPyTorchConvertedModelTest": "pytorch-converted",
    "OnnxBackendPyTorchOperatorModelTest": "pytorch-operator",
}


PEERS = {
    "node": ("651 of 847", "570 of 1252"),
    "simple": ("14 of 23", "14 of 23"),
    "pytorch-converted": ("77 of 82", "2 of 82"),
    "pytorch-operator": ("35 of 35", "0 of 35"),
}
"""What onnx-tf, the converter that ended in 2022, passes of each suite: with TensorFlow 2.8 and onnx 1.10.2, the
versions it declares, and with TensorFlow 2.15 and onnx 1.15.  Measured once, as it installs with neither of today's."""


class _Result(unittest.TestResult):
    error: ClassVar[BaseException | None] = None

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        type(self).error = err[1]

    addFailure = addError  # noqa: N815


def cases(pattern: str = "") -> Iterator[tuple[str, str, unittest.TestCase]]:
    """Suite, name and test of every case whose name has `pattern`, those that download models left out."""
    from onnx.backend.test import BackendTest

    for title, tests in BackendTest(TensorFlowBackend, __name__).test_cases.items():
        if title not in SUITES:
            continue
        for method in sorted(dir(tests)):
            if method.endswith("_cpu"):
                name = method.removeprefix("test_").removesuffix("_cpu")
                if re.search(pattern, name):
                    yield SUITES[title], name, tests(method)


def judge(suite: str, name: str, test: unittest.TestCase) -> Outcome:
    """Run one case."""
    excluded = next((reason for expression, reason in EXCLUDED.items() if re.search(expression, name)), None)
    if excluded is not None:
        return Outcome(suite, name, "excluded", excluded)
    _Result.error = None
    test.run(_Result())
    error = _Result.error
    if error is None:
        return Outcome(suite, name, "passed")
    message = " ".join(str(error).split())[:300]
    return Outcome(suite, name, "refused" if isinstance(error, OnnxpressError) else "failed", message)


def main() -> None:
    """Print what became of the cases that are asked for; a run of all of them writes the score."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", help="regular expression that names must have")
    parser.add_argument("--quick", action="store_true", help="every twentieth case, and write nothing")
    options = parser.parse_args()
    outcomes = []
    for case in list(cases(options.k))[:: 20 if options.quick else 1]:
        outcome = judge(*case)
        outcomes.append(outcome)
        if outcome.state in ("refused", "failed"):
            print(f"{outcome.state.upper():8} {outcome.suite}/{outcome.name}: {outcome.why}", flush=True)
    scores = {suite: Counter(outcome.state for outcome in outcomes if outcome.suite == suite) for suite in PEERS}
    if options.k:
        for suite, score in scores.items():
            print(f"{suite}: {score['passed']} of {score.total() - score['excluded']} passed ({dict(score)})")
    else:
        report(scores)


def report(scores: Mapping[str, Counter[str]]) -> None:
    """Write the score of every suite."""
    rows = []
    for suite, score in scores.items():
        counted = score.total() - score["excluded"]
        rows.append(
            {
                "suite": suite,
                "cases": score.total(),
                "beyond TensorFlow": score["excluded"],
                "passed": score["passed"],
                "share": score["passed"] / counted,
                "share of all": score["passed"] / score.total(),
                "onnx-tf 1.10, with its own versions": PEERS[suite][0],
                "onnx-tf 1.10, TensorFlow 2.15": PEERS[suite][1],
            }
        )
    wanted = {"node": 0.9, "pytorch-converted": 1.0, "pytorch-operator": 1.0}
    goals = [
        Goal(f"share of {row['suite']}", wanted[row["suite"]], row["share"], at_least=True)
        for row in rows
        if row["suite"] in wanted
    ]
    write("backend_suite", about=(__doc__ or "").strip(), rows=rows, goals=goals)


if __name__ == "__main__":
    main()

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidData
from onnxpress_frontends.tflite_source import reference

X = np.ones((2, 6), np.float32)


@pytest.fixture(params=["ai_edge_litert", "tensorflow"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The light runtime if it is there, and TensorFlow's."""
    if request.param == "tensorflow":
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    else:
        pytest.importorskip("ai_edge_litert")
    return str(request.param)


def test_both_interpreters_run_a_file(runtime: str, dense: Path) -> None:
    runner = reference(dense)
    assert type(runner._interpreter).__module__.partition(".")[0] == runtime
    assert [(port.name, port.dtype, port.shape) for port in runner.inputs] == [("x", "float32", (2, 6))]
    assert {name: array.shape for name, array in runner.run({"x": X}).items()} == {"Identity": (2, 5)}


def test_any_batch(runtime: str, signed: Path) -> None:
    runner = reference(signed)
    assert runner.inputs[0].shape == ("N", 6)
    sizes = [runner.run({"x": np.ones((size, 6), np.float32)})["output_0"].shape for size in (4, 1, 7)]
    assert sizes == [(4, 5), (1, 5), (7, 5)]


def test_feeds_that_do_not_fit(dense: Path, signed: Path) -> None:
    with pytest.raises(InvalidData, match=r"dense\.tflite takes inputs \['x'\], not \['image'\]$"):
        reference(dense).run({"image": X})
    for path in (dense, signed):
        with pytest.raises(InvalidData, match=r"\.tflite: input 'x' has the shape \[(2|'N'), 6\], not \[2, 5\]$"):
            reference(path).run({"x": X[:, :5]})
        with pytest.raises(InvalidData, match=r"TFLite cannot run .*\.tflite: [^\n]+$"):
            reference(path).run({"x": X.astype(np.int32)})


def test_results_are_the_callers_to_keep(dense: Path) -> None:
    runner: Any = reference(dense)
    first = runner.run({"x": X})["Identity"]
    kept = first.copy()
    runner.run({"x": 2 * X})
    np.testing.assert_array_equal(first, kept)

"""A model emitted and run in TensorFlow, and the comparison with onnxruntime that every rule is held to."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from frozen_graphs import FrozenGraph
from onnxpress.runtime import Session
from onnxpress.testing import model as parse

Feeds = Mapping[str, Any]
RunTensorFlow = Callable[..., dict[str, Any]]
Agree = Callable[..., list[str]]


@pytest.fixture(scope="session")
def tf() -> Any:
    return importlib.import_module("tensorflow")


@pytest.fixture
def run_tensorflow(tf: Any, tmp_path: Path) -> RunTensorFlow:
    """``run_tensorflow(model, feeds, **options of the backend)``: outputs by name."""

    def run(model: ir.Model, feeds: Feeds, **options: Any) -> dict[str, Any]:
        from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB

        path = tmp_path / "model.pb"
        TENSORFLOW_PB.emit(model, path, **options)
        graph = FrozenGraph(path)
        names = [value.name or "" for value in model.graph.outputs]
        results = dict(zip(names, graph.run(feeds, names), strict=True))
        graph.close()
        return results

    return run


@pytest.fixture
def agree(run_tensorflow: RunTensorFlow, tmp_path: Path) -> Agree:
    """``agree(text or model, feeds, rtol=1e-5, atol=1e-6, **options)``: TensorFlow gives what onnxruntime gives.

    Returns the operators of the emitted graph, in order, so that a test can count Transposes.
    """

    def check(
        source: str | ir.Model, feeds: Feeds, *, rtol: float = 1e-5, atol: float = 1e-6, **options: Any
    ) -> list[str]:
        model = parse(source) if isinstance(source, str) else source
        actual, expected = run_tensorflow(model, feeds, **options), Session(model).run(feeds)
        assert list(actual) == list(expected)
        for name, array in expected.items():
            assert actual[name].dtype == array.dtype, name
            assert actual[name].shape == array.shape, name
            if array.dtype.kind in "iub":
                np.testing.assert_array_equal(actual[name], array, err_msg=name)
            else:
                scale = np.abs(array[np.isfinite(array)]).max(initial=0)
                np.testing.assert_allclose(actual[name], array, rtol=rtol, atol=atol * max(scale, 1), err_msg=name)
        return FrozenGraph(tmp_path / "model.pb").ops()

    return check

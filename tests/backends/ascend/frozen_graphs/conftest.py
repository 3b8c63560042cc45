"""A quantised model written as a frozen graph, and TensorFlow with nothing else to run it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

from clean_tensorflow import CleanTensorflow
from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB
from onnxpress_backends.tensorflow.graphs.protos import protos

Write = Callable[..., Any]


@pytest.fixture(scope="session")
def tf() -> Any:
    return importlib.import_module("tensorflow")


@pytest.fixture(scope="session")
def clean_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CleanTensorflow]:
    process = CleanTensorflow(tmp_path_factory.mktemp("tensorflow"))
    yield process
    process.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(model, **options)``: the GraphDef that the backend writes."""

    def written(model: ir.Model, **options: Any) -> Any:
        (path,) = ASCEND_PB.emit(model, tmp_path / "model_quantized.pb", **options)
        return protos().graph.GraphDef.FromString(path.read_bytes())

    return written

"""One operator of TFLite at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from onnxpress_frontends.tflite.reading import read


@pytest.fixture(scope="session")
def check(write: Any, agree: Any) -> Callable[..., Path]:
    """Write a function as a file, assert that the file has the operator `code`, and that the conversion agrees."""

    def compare(code: str, function: Any, *shapes: Sequence[int], kind: str = "float", **options: Any) -> Path:
        path = write(function, *shapes, kind=kind, name=code.lower())
        assert code in [operator.code for operator in read(path).graphs[0].operators]
        agree(path, **options)
        return path

    return compare

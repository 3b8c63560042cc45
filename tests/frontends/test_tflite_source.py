"""What the frontend takes, and what it refuses before it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.model_sources import find_frontend
from onnxpress.options import schema
from onnxpress.registry import Registry
from onnxpress_frontends.tflite_source import TFLITE, accepts, load, reference


def test_files_are_known_by_their_suffix() -> None:
    assert [accepts(Path(name)) for name in ("a.tflite", "a.TFLITE", "a.lite", "a.onnx", "a")] == [True] * 3 + [
        False
    ] * 2
    assert not accepts("a.tflite")


def test_no_other_frontend_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"")
    assert find_frontend(path, Registry()).name == "tflite"


def test_the_reference_takes_the_options_of_load() -> None:
    assert TFLITE.reference is not None
    assert schema(TFLITE.reference) == schema(TFLITE.load)


@pytest.mark.parametrize("run", [load, reference])
def test_what_is_no_path_is_refused(run: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedModel, match=r"an object of type 'bytes' is no TFLite file; give its path$"):
        run(b"TFL3")

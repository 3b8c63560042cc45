"""The text form of ONNX, read and written: for small models that people look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnxpress.errors import InvalidModel
from onnxpress.files import atomic
from onnxpress.kinds import Backend, Frontend

_SUFFIX = ".onnxtxt"


def _accepts(source: Any) -> bool:
    return isinstance(source, Path) and source.suffix == _SUFFIX


def _load(source: Path) -> ir.Model:
    try:
        return ir.from_onnx_text(source.read_text(encoding="utf-8"))
    except Exception as error:  # the parser of the onnx package raises several kinds
        raise InvalidModel(f"cannot read {source}: {' '.join(str(error).split())}") from error


def _emit(model: ir.Model, path: Path, *, weights: bool = True) -> Sequence[Path]:
    with atomic(path) as temporary:
        temporary.write_text(ir.to_onnx_text(model, exclude_initializers=not weights), encoding="utf-8")
    return [path]


READER = Frontend(name="onnx-text", summary="Models in the text form of ONNX", accepts=_accepts, load=_load)
WRITER = Backend(name="onnx-text", summary="The text form of ONNX", emit=_emit, suffixes=(_SUFFIX,))

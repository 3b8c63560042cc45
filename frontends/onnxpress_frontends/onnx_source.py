"""ONNX models, from files or from memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY, Frontend

if TYPE_CHECKING:
    import onnx_ir as ir

OLDEST_OPSET = 11
_FIXED_WEIGHTS = 4  # the first IR version with initialisers that are not inputs
_TYPES = (("onnx_ir", "Model"), ("onnx", "ModelProto"))


def load(source: Any) -> ir.Model:
    """Read an ONNX model; one in memory is copied, weights beside a file stay memory-mapped.

    An input that has an initialiser (what PyTorch's ``keep_initializers_as_inputs`` writes) becomes a plain weight.
    Nodes without a name get one here, the same for every command: what `inspect` lists can be excluded by name.
    Ascend's deploy and fake-quant models become QuantizeLinear and DequantizeLinear.

    Args:
        source: The path of an ``.onnx`` file, an `onnx.ModelProto`, or an `onnx_ir.Model`.

    Raises:
        InvalidModel: The file is missing, truncated or corrupt, or the ONNX checker rejects the model.
        UnsupportedModel: The model is older than opset 11.
    """
    from onnx_ir.passes.common import NameFixPass

    model = _read(source)
    opset = model.opset_imports.get("", OLDEST_OPSET)
    if opset < OLDEST_OPSET:
        raise UnsupportedModel(
            f"{_title(source)} uses opset {opset}, older than {OLDEST_OPSET}; "
            "raise it first with onnx.version_converter.convert_version"
        )
    _fix_weights(model)
    _read_ascend(model, _title(source))
    NameFixPass()(model)
    return model


def accepts(source: Any) -> bool:
    """Whether `source` is ONNX: a file by its suffix or first bytes, or one of the two classes."""
    if isinstance(source, Path):
        return source.suffix.lower() == ".onnx" or (not source.suffix and _starts_like_onnx(source))
    return any(isinstance(source, getattr(sys.modules.get(module), name, ())) for module, name in _TYPES)


def _read(source: Any) -> ir.Model:
    from onnxpress import model_files, protobuf_checking
    from onnxpress.ascend.operators import OPERATORS

    if isinstance(source, Path):
        return model_files.load(source, beyond=OPERATORS)
    import onnx
    import onnx_ir as ir

    if isinstance(source, ir.Model):
        return source.clone()
    if isinstance(source, onnx.ModelProto):
        protobuf_checking.check(source, beyond=OPERATORS, name="the onnx.ModelProto")
        return model_files.from_proto(source)
    raise UnsupportedModel(f"an object of type {type(source).__name__!r} is no ONNX model")


def _read_ascend(model: ir.Model, title: str) -> None:
    from onnxpress.ascend.deploy_files import is_deploy
    from onnxpress_frontends.ascend.deploy_reading import read_deploy
    from onnxpress_frontends.ascend.fake_quant_reading import read_fake_quant

    warnings = read_fake_quant(model)
    if is_deploy(model):
        warnings += read_deploy(model, name=title)
    if warnings:
        model.meta[WARNINGS_KEY] = warnings


def _fix_weights(model: ir.Model) -> None:
    from onnx_ir.passes.common import RemoveInitializersFromInputsPass

    if RemoveInitializersFromInputsPass()(model).modified:
        model.ir_version = max(model.ir_version, _FIXED_WEIGHTS)


def _starts_like_onnx(path: Path) -> bool:
    """Protobuf field 1 of a `ModelProto` is its small integer ``ir_version``."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(2)
    return len(start) == 2 and start[0] == 0x08 and 3 <= start[1] <= 31


def _title(source: Any) -> str:
    return str(source) if isinstance(source, Path) else "the model"


ONNX = Frontend(
    name="onnx",
    summary="ONNX files with or without external data, and ONNX models in memory",
    accepts=accepts,
    load=load,
)

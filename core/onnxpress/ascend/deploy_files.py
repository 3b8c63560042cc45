"""Deploy files: ONNX with Ascend's integer operators, which ATC compiles and no ONNX runtime runs."""

from __future__ import annotations

import os
from pathlib import Path

import onnx_ir as ir

from onnxpress import model_files
from onnxpress.ascend.checking import check
from onnxpress.ascend.constant_weights import settle_constants
from onnxpress.ascend.operators import OPERATORS
from onnxpress.errors import InvalidModel


def load(path: Path) -> ir.Model:
    """Read a deploy file, ours or AMCT's; external weights stay on disk, as `model_files.load` leaves them.

    Dimensions of inputs may be dynamic, as AMCT's are when the exporter's were: ATC takes sizes on its command line.

    Raises:
        InvalidModel: What `model_files.load` refuses, a model without any of Ascend's operators, or one that breaks
            their rules.
    """
    model = model_files.load(path, beyond=OPERATORS)
    if not is_deploy(model):
        raise InvalidModel(f"{path} is no deploy model: none of its nodes is {', '.join(OPERATORS)}")
    settle_constants(model)
    check(model, name=os.fspath(path), static=False)
    return model


def save(model: ir.Model, path: Path, *, external_data: bool | None = None) -> list[Path]:
    """Write a deploy model, atomically, once it is checked; arguments and result as of `model_files.save`.

    Raises:
        InvalidModel: It breaks the rules of Ascend's operators, or needs external data that `external_data` forbids.
        OnnxpressError: The place cannot be written, or the disk is full.
    """
    check(model, name=path.name)
    return model_files.save(model, path, external_data=external_data)


def is_deploy(model: ir.Model) -> bool:
    """Whether `model` has any of Ascend's operators."""
    return any(node.op_type in OPERATORS and not node.domain for node in model.graph.all_nodes())

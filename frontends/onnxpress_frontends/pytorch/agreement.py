"""A conversion is run once on the example inputs: it must give what PyTorch gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnxpress.errors import InvalidData, InvalidModel
from onnxpress_frontends.finishing.validity_gate import check
from onnxpress_frontends.pytorch.captured import Captured
from onnxpress_frontends.pytorch.torch_reference import TorchReference

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.kinds import Array

_TOLERANCES = {"float64": 1e-3, "float32": 1e-3, "float16": 2e-2}
"""Largest difference, by the type of an output, as a part of its largest magnitude.  Whole numbers may be ties."""


def check_agreement(model: ir.Model, source: Captured) -> list[str]:
    """Have ONNX, onnxruntime and the numbers accept `model`.

    Returns:
        What the user must know.

    Raises:
        InvalidModel: ONNX or onnxruntime rejects the model, or it computes something else than PyTorch.
    """
    session = check(model)
    if not source.examples:
        return []
    feeds = {name: tensor.numpy(force=True) for name, tensor in source.examples.items()}
    reference = TorchReference(source)
    weights = {
        port.name: value.const_value.numpy()
        for port in session.inputs
        if (value := model.graph.initializers.get(port.name)) is not None and value.const_value is not None
    }
    expected = reference.run(feeds)
    try:
        actual = session.run({**feeds, **weights})
    except InvalidData as error:
        raise InvalidModel(f"torch.onnx makes a graph of {source.title} that does not run: {error}") from error
    apart = [name for name, array in expected.items() if not _close(actual[name], array)]
    if not apart:
        return []
    again = reference.run(feeds)
    if all(_close(again[name], array) for name, array in expected.items()):
        raise InvalidModel(
            f"the conversion of {source.title} gives another {apart[0]!r} than PyTorch does on the example inputs; "
            "report the module, or replace the layers that torch.onnx gets wrong"
        )
    return [f"{source.title} draws random numbers, so {apart[0]!r} differs from run to run and could not be checked"]


def _close(actual: Array, expected: Array) -> bool:
    if actual.shape != expected.shape:
        return False
    tolerance = _TOLERANCES.get(expected.dtype.name)
    if tolerance is None or not expected.size:
        return True
    scale = float(np.max(np.abs(np.nan_to_num(expected.astype(np.float64)))))
    return bool(np.allclose(actual, expected, rtol=0, atol=tolerance * max(scale, 1e-6), equal_nan=True))

"""The way back: weights that were tuned in a SavedModel, copied into the ONNX model it was written from.

Nothing is converted and nothing is run: the checkpoint is read, and each initialiser takes the value of its variable,
arranged as ONNX has it, and rounded to its grid where it is stored as integers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress import quantize
from onnxpress.errors import InvalidModel
from onnxpress_backends.saved_model import weight_map
from onnxpress_backends.saved_model.checkpoints import Checkpoint
from onnxpress_backends.saved_model.grid_return import SCALE, ZERO_POINT, constant, return_grids
from onnxpress_backends.saved_model.weight_map import HeldWeight

if TYPE_CHECKING:
    from numpy.typing import NDArray


def return_weights(model: ir.Model, folder: str | Path) -> ir.Model:
    """`model` with the weights of a SavedModel, and with its scales and zero points.

    Args:
        model: The model that the SavedModel was written from, or one whose initialisers have the same names and shapes;
            it is not changed.
        folder: What backend ``savedmodel`` wrote, trained and saved again with ``tf.saved_model.save``.

    Returns:
        A copy of the model, with the same nodes.

    Raises:
        InvalidModel: The folder is no such SavedModel, is corrupt, or belongs to another model.
    """
    folder = Path(folder)
    found = weight_map.read(folder / "assets" / weight_map.NAME)
    checkpoint = Checkpoint(folder)
    returned = model.clone()
    return_grids(returned, found.ranges, checkpoint)
    for held in found.weights:
        _return(returned, held, checkpoint.read(held.variable))
    return returned


def _return(model: ir.Model, held: HeldWeight, tuned: NDArray[Any]) -> None:
    value = model.graph.initializers.get(held.initializer)
    if value is None or value.const_value is None:
        raise InvalidModel(
            f"the model has no initialiser {held.initializer!r}, which the SavedModel was written with; "
            "give the model that it was written from"
        )
    shape, dtype = value.const_value.shape.numpy(), value.const_value.dtype
    if tuned.shape != held.arrangement.shape or tuned.size != np.prod(shape, dtype=np.int64):
        raise InvalidModel(
            f"initialiser {held.initializer!r} of the model is of shape {list(shape)}, but its variable of shape "
            f"{list(tuned.shape)}; give the model that the SavedModel was written from"
        )
    array = held.arrangement.undo(tuned).reshape(shape)
    if dtype.is_integer() and tuned.dtype.kind == "f":
        array = _rounded(value, array)
    value.const_value = ir.Tensor(np.ascontiguousarray(array.astype(dtype.numpy())), dtype=dtype, name=value.name)


def _rounded(stored: ir.Value, numbers: NDArray[Any]) -> NDArray[Any]:
    """The integers that a DequantizeLinear turns into `numbers`."""
    node = next(use.node for use in stored.uses() if use.node.op_type == "DequantizeLinear")
    scale, zero_point = constant(node, SCALE), constant(node, ZERO_POINT)
    assert scale is not None and stored.dtype is not None
    several = scale.size > 1
    return quantize.quantize(
        numbers,
        scale if several else scale.reshape(()),
        0 if zero_point is None else zero_point if several else zero_point.reshape(()),
        dtype=stored.dtype.numpy().name,
        axis=node.attributes.get_int("axis", 1) if several else None,
    )

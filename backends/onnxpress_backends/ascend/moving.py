"""Operators that move the numbers of a tensor and change none, so that what is true of integers is true behind them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Those with the tensor as their first input."""


def is_move(node: ir.Node | None) -> bool:
    """Whether `node` only moves numbers."""
    return node is not None and node.op_type in MOVES and not node.domain


def pads_zeros(node: ir.Node) -> bool:
    """Whether `node` is a Pad that adds nothing but zeros."""
    if node.op_type != "Pad" or node.domain or node.attributes.get_string("mode", "constant") != "constant":
        return False
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return node.attributes.get_float("value", 0.0) == 0
    padding = constant(node.inputs[2])
    return padding is not None and not padding.any()


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The numbers of an initialiser that nobody can override, or of a Constant; None for what is computed."""
    if value is None or value.is_graph_input():
        return None
    if value.is_initializer() and value.const_value is not None:
        return value.const_value.numpy()
    maker = value.producer()
    if maker is None or maker.op_type != "Constant" or maker.domain or "value" not in maker.attributes:
        return None
    return maker.attributes["value"].as_tensor().numpy()


def followed(node: ir.Node, numbers: NDArray[Any]) -> NDArray[Any]:
    """What `node`, one of `MOVES`, makes of `numbers`.

    Raises:
        UnsupportedModel: It goes by something computed.
    """
    if node.op_type == "Identity":
        return numbers
    if node.op_type == "Transpose":
        return numbers.transpose(node.attributes.get_ints("perm", range(numbers.ndim)[::-1]))
    if node.op_type == "Flatten":
        axis = node.attributes.get_int("axis", 1)
        axis = axis + numbers.ndim if axis < 0 else axis
        return numbers.reshape(math.prod(numbers.shape[:axis]), -1)
    if node.op_type == "Reshape":
        shape = _known(node, 1)
        return numbers.reshape(_sizes(shape, numbers.shape, node))
    given = node.attributes.get_ints("axes", ()) or (_known(node, 1) if len(node.inputs) > 1 else ())
    axes = tuple(map(int, given))
    return np.expand_dims(numbers, axes) if node.op_type == "Unsqueeze" else numbers.squeeze(axes or None)


def _known(node: ir.Node, index: int) -> NDArray[Any]:
    numbers = constant(node.inputs[index])
    if numbers is None:
        raise UnsupportedModel(
            f"{node.op_type} {node.name!r} computes how it moves a constant; fold that first (the pass clean-up does)"
        )
    return numbers


def _sizes(shape: NDArray[Any], before: tuple[int, ...], node: ir.Node) -> list[int]:
    """The sizes that Reshape asks for, 0 spelt out as the size that was there."""
    keep = not node.attributes.get_int("allowzero", 0)
    return [before[index] if size == 0 and keep else int(size) for index, size in enumerate(shape)]

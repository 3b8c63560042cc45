"""Where the integers of a DequantizeLinear come from: a constant, a QuantizeLinear of one, or of what is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel
from onnxpress.quantize import dequantize as real_numbers
from onnxpress.quantize import quantize
from onnxpress_backends.ascend.moving import constant, followed, is_move
from onnxpress_backends.ascend.steps import Grid, grid, quantizes, refuse_odd_pair, title

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def source_of(dequantize: ir.Node) -> ir.Value | None:
    """The constant that a DequantizeLinear starts from: integers, or floats before a QuantizeLinear."""
    value = dequantize.inputs[0]
    maker = value.producer() if value is not None else None
    if quantizes(maker):
        assert maker is not None
        value = maker.inputs[0]
    while value is not None and is_move(node := value.producer()):
        assert node is not None
        value = node.inputs[0]
    return value if constant(value) is not None else None


def activation(dequantize: ir.Node) -> ir.Node | None:
    """The QuantizeLinear whose computed integers `dequantize` reads; None for a constant.

    Raises:
        UnsupportedModel: The integers are made in another way.
    """
    if source_of(dequantize) is not None:
        return None
    value = dequantize.inputs[0]
    node = value.producer() if value is not None else None
    if not quantizes(node):
        raise UnsupportedModel(
            f"{title(dequantize)} reads integers that no QuantizeLinear made; "
            "Ascend's quantised models take and give floats, so quantise inside the model"
        )
    assert node is not None
    return node


def integers_of(dequantize: ir.Node, found: Grid) -> NDArray[Any]:
    """The integers that a DequantizeLinear of a constant reads."""
    value = dequantize.inputs[0]
    maker = value.producer() if value is not None else None
    if maker is None or not quantizes(maker):
        return _moved(value)
    refuse_odd_pair(maker, dequantize)
    scale, zero_point = found.parameters
    return quantize(_moved(maker.inputs[0]), scale, zero_point, dtype=zero_point.dtype.name, axis=found.axis)


def floats_of(dequantize: ir.Node) -> NDArray[np.float32]:
    """What a DequantizeLinear of a constant gives.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: Its scale is computed or in blocks, or it is no pair with its QuantizeLinear.
    """
    found = grid(dequantize)
    scale, zero_point = found.parameters
    return real_numbers(integers_of(dequantize, found), scale, zero_point, axis=found.axis)


def _moved(value: ir.Value | None) -> NDArray[Any]:
    """The numbers of a constant, moved perhaps."""
    assert value is not None
    node = value.producer()
    if node is not None and is_move(node):
        return followed(node, _moved(node.inputs[0]))
    numbers = constant(value)
    assert numbers is not None
    return numbers

"""Carriers become QuantizeLinear and DequantizeLinear.

    computed tensor     x -> (Clip) -> QuantizeLinear -> DequantizeLinear
    constant            integers -> DequantizeLinear                        (`quantized_constants`)
    range of the data   arithmetic                                          (`measured_quantization`)

A Clip is needed where the integers of the type go further than the grid: 2 to 7 bits, 9 to 15, and narrow ranges.
Integers of 16 bits need opset 21.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress import opset
from onnxpress_frontends.finishing import measured_quantization, quantized_constants
from onnxpress_frontends.finishing.substituting import Substitute
from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.quantization_grids import CentredGrids, Grid

_WIDE = (ir.DataType.INT16, ir.DataType.UINT16)
_WIDE_OPSET = 21


def expand(model: ir.Model) -> None:
    """Replace every carrier in `model`, in place.

    Raises:
        UnsupportedModel: Integers of 16 bits are needed, and ONNX cannot raise the model to the opset that has them.
    """
    for node in list(model.graph.all_nodes()):
        grid = grid_attributes.read(node)
        if isinstance(grid, CentredGrids):
            measured_quantization.spell_out(node, grid)
        elif grid is not None and node.inputs[0] is not None and node.inputs[0].is_initializer():
            quantized_constants.store(node, grid)
        elif grid is not None:
            _pair(node, grid)
    if any(value.dtype in _WIDE for graph in model.graphs() for value in graph.initializers.values()):
        opset.at_least(model, _WIDE_OPSET)


def _pair(node: ir.Node, grid: Grid) -> None:
    write, value = Substitute(node), node.inputs[0]
    assert value is not None
    if not grid.saturates:
        value = _clip(write, value, grid)
    parameters = write.constant(grid.scale), write.constant(grid.zero_point.astype(grid.dtype))
    quantised = write.call("QuantizeLinear", value, *parameters, axis=grid.axis)
    write.take_place(write.call("DequantizeLinear", quantised, *parameters, axis=grid.axis))


def _clip(write: Substitute, value: ir.Value, grid: Grid) -> ir.Value:
    if grid.axis is None:
        return write.call("Clip", value, grid.minimum, grid.maximum)
    low, high = (end.reshape([-1, *[1] * (-1 - grid.axis)]) for end in (grid.minimum, grid.maximum))
    return write.call("Min", write.call("Max", value, low), high)

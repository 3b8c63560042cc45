"""QuantizeAndDequantize to the range of the data themselves: arithmetic, for no integer type need hold the result.

    scale = max(min(x) / lowest, max(x) / highest)          y = round(x / scale) * scale

where an unsigned grid has no lowest integer, and negative numbers go on below zero as TensorFlow lets them.  Data of
zeros alone stay zeros.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress_frontends.finishing.substituting import Substitute
from onnxpress_frontends.mapping.quantization_grids import CentredGrids


def spell_out(node: ir.Node, grids: CentredGrids) -> None:
    """Replace a carrier of `grids` on computed data by the arithmetic; a graph up to opset 17."""
    write, data = Substitute(node), node.inputs[0]
    assert data is not None
    low, high = grids.ends
    scale = write.call("Div", write.call("ReduceMax", data, axes=grids.others), np.float32(high))
    if low:
        below = write.call("Div", write.call("ReduceMin", data, axes=grids.others), np.float32(low))
        scale = write.call("Max", below, scale)
    scale = write.call("Max", scale, np.finfo(np.float32).tiny)
    steps = write.call("Div", data, scale)
    if grids.half_up:
        rounded = write.call("Floor", write.call("Add", steps, np.float32(0.5)))
    else:
        rounded = write.call("Round", steps)
    write.take_place(write.call("Mul", rounded, scale))

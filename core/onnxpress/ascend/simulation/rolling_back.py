"""Layers that GE takes out of the integers again: their weights go back to floating point, AscendQuant disappears.

    weight = w * deq_scale / scale_d         bias = b * deq_scale         y = relu(cube(x, weight, bias))

Conv and ConvTranspose of up to 16 channels in the tensor before AscendQuant, whatever the groups; AveragePool with an
output one wide, or strides over 63.  Gemm and MatMul stay.  Source: ``GetQuantProcessMode`` in
``bias_optimize_quant_rollback_base.cc``, ``avgpool_quant_process_fusion_pass.cc`` and the others (``hicann/ge``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxpress.ascend.layers import Layer, array
from onnxpress.ascend.operators import NARROW
from onnxpress.ascend.simulation.conversions import finished
from onnxpress.ascend.simulation.node_writing import NodeWriter, attributes
from onnxpress.ascend.simulation.weight_axes import times_channels

_LONGEST_STRIDE = 63


def is_rolled_back(layer: Layer) -> bool:
    """Whether GE runs `layer` in floating point."""
    if layer.cube.op_type == "AveragePool":
        shape, strides = layer.cube.outputs[0].shape, layer.cube.attributes.get_ints("strides", (1, 1))
        return shape is not None and (shape[-1] == 1 or max(strides) > _LONGEST_STRIDE)
    source = layer.quant.inputs[0]
    assert source is not None and source.shape is not None
    channels = source.shape[1] if len(source.shape) > 1 else None
    return layer.cube.op_type.startswith("Conv") and isinstance(channels, int) and channels <= NARROW


def rolled_back(writer: NodeWriter, layer: Layer) -> ir.Value:
    """What `layer` gives in float16, in place of its AscendDequant; its input is one that float16 holds."""
    assert layer.quant.inputs[0] is not None
    data = writer.cast(layer.quant.inputs[0], ir.DataType.FLOAT)
    for carrier in layer.carriers:
        data = writer.op(carrier.op_type, data, *carrier.inputs[1:], **attributes(carrier))
    operands = [] if layer.weight is None else _floats(layer)
    result = writer.op(layer.cube.op_type, data, *operands, **attributes(layer.cube))
    return finished(writer, layer.dequant, writer.half(result))


def _floats(layer: Layer) -> list[NDArray[np.float32]]:
    """Weight and bias as GE turns them back, rounded to float16, in float32."""
    weight = times_channels(layer, array(layer.weight), layer.deq_scale * layer.scale)
    if layer.bias is None:
        return [_half(weight)]
    return [_half(weight), _half(array(layer.bias).reshape(-1) * layer.deq_scale)]


def _half(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32).astype(np.float16).astype(np.float32)

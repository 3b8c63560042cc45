"""Weights that a graph stores as integers, as TensorFlow's ``quantize_weights`` writes them, stay integers.

``Dequantize`` of a constant has three modes (``dequantize_op.cc``), each of them a grid and at most an offset:

    MIN_FIRST       x = (q - lowest) * s + round(min / s) * s      s = (max - min) / (highest - lowest)
    MIN_COMBINED    x = (q - lowest) * s + min                     the same s
    SCALED          x = q * s                                      s = max(min / lowest, max / highest)

In the first the zero point is ``lowest - round(min / s)``, where that is one of the integers.  The integers become a
weight beside the graph before anything can fold them, and the node keeps its grid in attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.constant_tensors import FLOAT, Constants, hold
from onnxpress_frontends.mapping.quantization_grids import Grid, stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress.kinds import Array

_QUINT8 = 12
"""TensorFlow's ``DataType``; the only quantised one that tf2onnx has heard of."""

_DTYPES = {11: "int8", _QUINT8: "uint8", 13: "int32", 15: "int16", 16: "uint16"}
"""Quantised types, which are opaque bytes in numpy, and the integers they are."""


def decode(graph: Any, weights: dict[str, Array]) -> None:
    """Give every Dequantize of a constant in a `GraphDef` a grid, in place; one without is an ordinary constant.

    One that has a grid already keeps it.

    Args:
        graph: The graph, before constants are folded.
        weights: The value of every placeholder that is no input, by node name; the integers join it.
    """
    constants = Constants(graph, weights)
    nodes = [node for node in graph.node if node.op == "Dequantize" and node.name in constants]
    nodes = [node for node in nodes if node.attr["dtype"].type == FLOAT]
    values = constants.values([name for node in nodes for name in node.input[:3]])
    for node in nodes:
        integers, minimum, maximum = (values[name] for name in node.input[:3])
        integers = integers.view(_DTYPES[node.attr["T"].type])
        if not grid_attributes.has_grid(node):
            grid = _grid(node, integers, minimum, maximum)
            if grid is None:
                continue
            grid_attributes.write(node, grid)
        hold(graph, node, integers, weights, kind=_QUINT8)
        node.attr["T"].type = _QUINT8


def _grid(node: Any, integers: Array, minimum: Array, maximum: Array) -> Grid | None:
    """None where DequantizeLinear cannot say it: the scale is not normal, or integers of 32 bits have a zero point."""
    limits = np.iinfo(integers.dtype)
    per_channel = node.attr["axis"].i >= 0
    bottom, top = (end.reshape(-1 if per_channel else ()) for end in (minimum, maximum))
    scaled = node.attr["mode"].s == b"SCALED"
    steps = np.float32(limits.max - limits.min)
    scale = _symmetric_scale(node, bottom, top, limits) if scaled else (top - bottom) / steps
    if not (np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)).all():
        return None
    zero_point = np.full(scale.shape, 0 if scaled else limits.min)
    offset = np.zeros_like(bottom) if scaled else bottom
    if node.attr["mode"].s == b"MIN_FIRST":
        start = _rounded(bottom / scale)
        offset = start.astype(np.float32) * scale
        if (start <= 0).all() and (limits.min - start <= limits.max).all():
            zero_point, offset = zero_point - start, np.zeros_like(bottom)
    if limits.bits > 16 and zero_point.any():
        return None
    axis = node.attr["axis"].i - integers.ndim if per_channel else None
    return stored(scale, zero_point, offset if offset.any() else None, dtype=str(integers.dtype), axis=axis)


def _symmetric_scale(node: Any, bottom: Array, top: Array, limits: np.iinfo[Any]) -> Array:
    scale = top / np.float32(limits.max)
    if limits.min == 0:
        return scale
    return np.maximum(bottom / np.float32(limits.min + int(node.attr["narrow_range"].b)), scale)


def _rounded(numbers: Array) -> NDArray[np.int64]:
    """To the nearest integer, ties away from zero, as C rounds."""
    return np.copysign(np.floor(np.abs(numbers).astype(np.float64) + 0.5), numbers).astype(np.int64)

"""Constants that a graph only unpacks are constants: DENSIFY of a sparse one, DEQUANTIZE of halves or of integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxpress_frontends.tflite.contents import Graph, Operator, Tensor

_UNPACKING = ("DENSIFY", "DEQUANTIZE")


def settle_constants(graph: Graph) -> Graph:
    """The graph without operators that unpack constants; integers keep their grid."""
    tensors, left = list(graph.tensors), []
    for operator in graph.operators:
        packed = tensors[operator.inputs[0]] if _unpacks(operator) else None
        if packed is None or packed.data is None:
            left.append(operator)
            continue
        tensors[operator.outputs[0]] = _unpacked(packed, tensors[operator.outputs[0]])
    return replace(graph, tensors=tuple(tensors), operators=tuple(left))


def _unpacks(operator: Operator) -> bool:
    return (
        operator.code in _UNPACKING and len(operator.inputs) == len(operator.outputs) == 1 and operator.inputs[0] >= 0
    )


def _unpacked(packed: Tensor, unpacked: Tensor) -> Tensor:
    assert packed.data is not None
    grid = packed.grid if packed.grid is not None else unpacked.grid
    data = packed.data if grid is not None else packed.data.astype(np.dtype(unpacked.dtype), copy=False)
    return replace(unpacked, dtype=data.dtype.name, shape=data.shape, data=data, grid=grid)

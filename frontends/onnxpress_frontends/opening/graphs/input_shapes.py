"""The shape of an input that its graph does not tell, as far as its first uses do.

A placeholder of an early graph often has no shape, and an empty one means the same before version 24 of the format.
What is convolved has as many axes as the convolution, and as many channels as the kernel; a matrix has two axes.
Operators on single elements on the way there change neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onnxpress_frontends.opening.graphs.names import attribute
from onnxpress_frontends.opening.graphs.variables import origin
from onnxpress_frontends.reachability import source_of

_EMPTY_IS_UNKNOWN = 24
"""First version of graphs that say so when a shape is not known."""

_AXES = {"Conv2D": 4, "DepthwiseConv2dNative": 4, "MaxPool": 4, "AvgPool": 4, "Conv3D": 5, "MatMul": 2}
_AXES |= {"FusedBatchNorm": 4, "FusedBatchNormV2": 4, "FusedBatchNormV3": 4, "LRN": 4}
_AXES |= {"ResizeBilinear": 4, "ResizeNearestNeighbor": 4, "SpaceToDepth": 4}
_KERNELS = frozenset(("Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul"))
_ELEMENTWISE = frozenset(
    ("Identity", "Cast", "Sub", "Add", "AddV2", "Mul", "Div", "RealDiv", "Neg", "Relu", "Relu6", "Tanh", "Sigmoid")
)


def settle_shapes(graph: Any, inputs: Iterable[str]) -> None:
    """Give placeholders of a `GraphDef` that do not tell their shape the one that their uses tell, in place."""
    nodes = {node.name: node for node in graph.node}
    for node in [nodes[name] for name in inputs]:
        shape = node.attr["shape"].shape
        if shape.dim or (not shape.unknown_rank and graph.versions.producer >= _EMPTY_IS_UNKNOWN):
            continue
        sizes = shape_from_uses(node.name, nodes)
        shape.unknown_rank = sizes is None
        for size in sizes or ():
            shape.dim.add(size=-1 if size is None else size)


def shape_from_uses(name: str, nodes: Mapping[str, Any]) -> list[int | None] | None:
    """Sizes of the axes of the output of node `name`, None for a size that is not known; None if no use tells."""
    pending, seen = [name], {name}
    while pending:
        source = pending.pop(0)
        for user in nodes.values():
            used = [source_of(tensor) for tensor in user.input if not tensor.startswith("^")]
            if source in used[:1] and user.op in _AXES:
                return _shape(user, nodes)
            if source in used and user.op in _ELEMENTWISE and user.name not in seen:
                seen.add(user.name)
                pending.append(user.name)
    return None


def _shape(user: Any, nodes: Mapping[str, Any]) -> list[int | None]:
    axes: list[int | None] = [None] * _AXES[user.op]
    if user.op in _KERNELS:
        channels = _channels(user, nodes)
        axes[1 if attribute(user, "data_format").s.startswith(b"NC") else -1] = channels
    return axes


def _channels(user: Any, nodes: Mapping[str, Any]) -> int | None:
    """Channels that a kernel takes: of its shape [..., in, out], or [out, in] if a matrix is transposed."""
    kernel = nodes.get(source_of(origin(user.input[1], nodes)))
    if kernel is None or attribute(user, "transpose_a").b:
        return None
    value, shape = attribute(kernel, "value").tensor.tensor_shape, attribute(kernel, "shape").shape
    sizes = [dim.size for dim in (value if kernel.op == "Const" else shape).dim]
    axis = -1 if attribute(user, "transpose_b").b else -2
    return sizes[axis] if len(sizes) >= 2 and sizes[axis] > 0 else None

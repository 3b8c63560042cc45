"""What must hold of a frozen graph for ATC: the layers that GE recognises, and what their constants and attributes say.

    x -> AscendQuant -> [Pad] -> Conv2D | DepthwiseConv2dNative -> [BiasAdd] -> AscendDequant -> y
    x -> AscendQuant -> Conv3D | Conv2DBackpropInput | MatMul -> [BiasAdd] -> AscendDequant -> y
    x -> AscendQuant -> BatchMatMulV2 -> [Add] -> AscendDequant -> y
    x -> AscendQuant -> Split -> Conv2D -> [BiasAdd], for each part -> ConcatV2 -> AscendDequant -> y
    x -> AscendQuant -> AvgPool -> AscendDequant -> y
    x -> AscendQuant -> [MaxPool] -> AscendAntiQuant -> y

A weight is AscendWeightQuant of an int8 Const, a bias is a Cast of an int32 Const.  Source: the patterns of GE's
TfMergeWeightQuantFusionPass, and the operators that Ascend's adapter for TensorFlow registers.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, OPERATORS, QUANT, WEIGHT_QUANT
from onnxpress.errors import InvalidModel
from onnxpress.verify import refuse
from onnxpress_backends.ascend.frozen_graphs import operator_checking
from onnxpress_backends.ascend.frozen_graphs.frozen_nodes import FrozenNodes, constant, title

_OUTPUT_AXES: dict[str, tuple[int, ...]] = {
    "AvgPool": (),
    "BatchMatMulV2": (-1,),
    "Conv2D": (3,),
    "Conv2DBackpropInput": (2,),
    "Conv3D": (4,),
    "DepthwiseConv2dNative": (2, 3),
    "MatMul": (-1,),
}
"""The operators that GE runs in integers, and the axes of their weight that are the output channels."""

_PADDED = ("Conv2D", "DepthwiseConv2dNative")
_FLAGS: dict[str, tuple[Any, ...]] = {
    "adj_x": (False,),
    "adj_y": (False,),
    "data_format": (b"NHWC", b"NDHWC"),
    "transpose_a": (False,),
    "transpose_b": (False,),
}
"""Attributes of those operators of which GE takes these values alone."""


def check(graph_def: Any, *, name: str = "the graph") -> None:
    """Check a frozen graph.

    Args:
        graph_def: A message GraphDef.
        name: What the message calls it.

    Raises:
        InvalidModel: A rule is broken; the message starts with `name` and lists at most five breaches.
    """
    try:
        refuse(list(breaches(graph_def)))
    except InvalidModel as error:
        raise InvalidModel(f"{name} is not a valid quantised graph: {error}") from error


def breaches(graph_def: Any) -> Iterator[str]:
    """What is wrong with a frozen graph."""
    nodes = FrozenNodes(graph_def)
    for function in graph_def.library.function:
        for node in function.node_def:
            if node.op in OPERATORS:
                yield f"{title(node)} stands inside of function {function.signature.name!r}, where GE does not look"
    for node in nodes.all:
        if node.op in OPERATORS:
            yield from operator_checking.breaches(nodes, node)
            yield from _AROUND[node.op](nodes, node)


def _around_quant(nodes: FrozenNodes, quant: Any) -> Iterator[str]:
    """Integers go to layers, and to nothing else."""
    for reader in nodes.readers(quant):
        allowed: tuple[str, ...] = (*_OUTPUT_AXES, ANTI_QUANT)
        after = _BETWEEN.get(reader.op)
        for end in [reader] if after is None else nodes.readers(reader):
            allowed = allowed if after is None else after
            if end.op not in allowed:
                yield f"{title(quant)}: its integers go to {title(end)}, which GE does not run on integers"


_BETWEEN = {"MaxPool": (ANTI_QUANT,), "Pad": _PADDED, "Split": ("Conv2D",)}
"""What may stand between AscendQuant and what takes its integers."""


def _around_weight(nodes: FrozenNodes, weight: Any) -> Iterator[str]:
    readers = nodes.readers(weight)
    if len(readers) != 1 or readers[0].op not in _OUTPUT_AXES or nodes.source(readers[0], 1) is not weight:
        names = ", ".join(map(title, readers)) or "nothing"
        yield f"{title(weight)} must be the weight of one layer, and goes to {names}"


def _around_anti_quant(nodes: FrozenNodes, anti: Any) -> Iterator[str]:
    start = nodes.source(anti, 0)
    start = nodes.source(start, 0) if start is not None and start.op == "MaxPool" else start
    if start is None or start.op != QUANT:
        yield f"{title(anti)} reads {title(start)}, not {QUANT}"
    elif start.attr["offset"].f != -anti.attr["offset"].f:
        given, wanted = anti.attr["offset"].f, 0.0 - start.attr["offset"].f
        yield f"{title(anti)}: its offset is {given:g}, and must be {wanted:g}, which takes that of {QUANT} off"


def _around_dequant(nodes: FrozenNodes, dequant: Any) -> Iterator[str]:
    end = nodes.source(dequant, 0)
    if end is not None and end.op == "ConcatV2":
        yield from _group_breaches(nodes, dequant, end)
        return
    yield from _sum_breaches(nodes, end, dequant)
    cube = _cube(nodes, end)
    if cube is None:
        return
    yield from _data_breaches(nodes, cube)
    yield from _scale_breaches(nodes, dequant, cube, _channels(nodes, cube))


def _group_breaches(nodes: FrozenNodes, dequant: Any, concat: Any) -> Iterator[str]:
    """Convolutions of the parts of a Split, each part once and in order."""
    count = len(concat.input) - 1
    ends = [nodes.source(concat, index) for index in range(count)]
    for end in ends:
        yield from _sum_breaches(nodes, end, concat)
    cubes = [cube for end in ends if (cube := _cube(nodes, end)) is not None]
    if len(cubes) < count:
        return
    split = nodes.source(cubes[0], 0)
    wanted = [] if split is None else [split.name if index == 0 else f"{split.name}:{index}" for index in range(count)]
    parts = [cube.input[0].removesuffix(":0") for cube in cubes]
    if split is None or split.op != "Split" or parts != wanted or {cube.op for cube in cubes} != {"Conv2D"}:
        yield f"{title(concat)} does not join one Conv2D for each part of a Split"
        return
    start = nodes.source(split, 1)
    if start is None or start.op != QUANT:
        yield f"{title(split)} reads {title(start)}, not {QUANT}"
    parts_of = [_channels(nodes, cube) for cube in cubes]
    channels = None if None in parts_of else sum(count or 0 for count in parts_of)
    yield from _scale_breaches(nodes, dequant, cubes[0], channels)


def _cube(nodes: FrozenNodes, end: Any) -> Any | None:
    """The operator whose accumulator `end` gives, a bias added perhaps."""
    if end is not None and end.op in ("Add", "BiasAdd"):
        end = nodes.source(end, 0)
    return end if end is not None and end.op in _OUTPUT_AXES else None


def _sum_breaches(nodes: FrozenNodes, end: Any, reader: Any) -> Iterator[str]:
    """What is wrong with an operator, its weight and its bias."""
    cube = _cube(nodes, end)
    if cube is None:
        yield f"{title(reader)} reads {title(end)}; GE knows {', '.join(_OUTPUT_AXES)} there, and a bias behind them"
        return
    for node in [cube] if end is cube else [cube, end]:
        if len(nodes.readers(node)) != 1:
            yield f"{title(node)}: its integers must go to one node, and go to {len(nodes.readers(node))}"
    for name, values in _FLAGS.items():
        if name in cube.attr and getattr(cube.attr[name], cube.attr[name].WhichOneof("value")) not in values:
            yield f"{title(cube)}: attribute {name!r} must be {' or '.join(map(str, values))}"
    weight = nodes.source(cube, 1)
    if _OUTPUT_AXES[cube.op] and (weight is None or weight.op != WEIGHT_QUANT):
        yield f"{title(cube)}: its weight is {title(weight)}, not {WEIGHT_QUANT}"
        return
    if end is not cube:
        yield from _bias_breaches(nodes, end, cube)


def _bias_breaches(nodes: FrozenNodes, add: Any, cube: Any) -> Iterator[str]:
    wanted = "Add" if cube.op == "BatchMatMulV2" else "BiasAdd"
    if add.op != wanted:
        yield f"{title(add)} brings the bias of {cube.op}, which {wanted} must"
    cast = nodes.source(add, 1)
    stored = constant(nodes.source(cast, 0)) if cast is not None and cast.op == "Cast" else None
    if stored is None or stored.dtype != np.int32:
        yield f"{title(add)}: its bias must be a Cast of a constant of int32"
    elif (channels := _channels(nodes, cube)) is not None and stored.shape != (channels,):
        yield f"{title(add)}: its bias has shape {list(stored.shape)} for {channels} channels"


def _data_breaches(nodes: FrozenNodes, cube: Any) -> Iterator[str]:
    start = nodes.source(cube, 2 if cube.op == "Conv2DBackpropInput" else 0)
    if start is not None and start.op == "Pad" and cube.op in _PADDED:
        start = nodes.source(start, 0)
    if start is None or start.op != QUANT:
        yield f"{title(cube)} takes integers from {title(start)}, not from {QUANT}"


def _scale_breaches(nodes: FrozenNodes, dequant: Any, cube: Any, channels: int | None) -> Iterator[str]:
    words = constant(nodes.source(dequant, 1))
    if words is not None and channels is not None and words.size not in (1, channels):
        yield f"{title(dequant)}: deq_scale has {words.size} words for {channels} channels; 1 or {channels} are right"
    wanted = list(cube.attr["ksize"].list.i)[1:3] if cube.op == "AvgPool" else [1, 1]
    given = list(dequant.attr["ksize"].list.i)
    if given not in ([], wanted):
        yield f"{title(dequant)}: ksize is {given}, and must be {wanted}"


def _channels(nodes: FrozenNodes, cube: Any) -> int | None:
    """Output channels; 1 for a pooling, which has one deq_scale; None where the weight is none."""
    axes = _OUTPUT_AXES[cube.op]
    if not axes:
        return 1
    weight = nodes.source(cube, 1)
    stored = constant(nodes.source(weight, 0)) if weight is not None and weight.op == WEIGHT_QUANT else None
    if stored is None or stored.ndim <= max(axes):
        return None
    return int(prod(stored.shape[axis] for axis in axes))


_AROUND = {
    ANTI_QUANT: _around_anti_quant,
    DEQUANT: _around_dequant,
    QUANT: _around_quant,
    WEIGHT_QUANT: _around_weight,
}

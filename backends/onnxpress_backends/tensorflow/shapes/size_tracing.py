"""Where the elements of a computed shape come from: ``Concat(Shape(x)[:2], [64, 64])`` begins with the sizes of x.

Shape inference follows symbolic sizes through few operators, and never through a slice that is cast and joined; here
the operators that only pass sizes on are followed back to the Shape that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, shape_of

Origins = list[tuple[ir.Value, int] | None]
"""For each element the tensor and its axis whose size it is; None for anything else."""


def keeps(call: Call, axis: int, index: int, element: int) -> bool:
    """Whether an element of input `index` is the size of `axis` of the first input.

    Args:
        call: The node.
        axis: Axis of ONNX.
        index: An input that is a vector of sizes.
        element: Its place in the vector.
    """
    listed, image = call.node.inputs[index], call.node.inputs[0]
    found = None if listed is None else _origins(call, listed)
    if image is None or found is None or element >= len(found):
        return False
    return _is_size(found[element], image, axis)


def copies(call: Call, index: int) -> dict[int, int]:
    """For elements of input `index` that are sizes of the first input, the axis whose size they are.

    Args:
        call: The node; the rank of its first input is known.
        index: An input that is a vector of sizes.
    """
    listed, image = call.node.inputs[index], call.node.inputs[0]
    found = None if listed is None else _origins(call, listed)
    if image is None or found is None:
        return {}
    axes = range(call.rank(0))
    pairs = [
        (place, next((axis for axis in axes if _is_size(origin, image, axis)), None))
        for place, origin in enumerate(found)
    ]
    return {place: axis for place, axis in pairs if axis is not None}


def _is_size(origin: tuple[ir.Value, int] | None, tensor: ir.Value, axis: int) -> bool:
    if origin is None:
        return False
    source, place = origin
    return (source is tensor and place == axis) or _alike(source, place, tensor, axis)


def _alike(one: ir.Value, axis: int, other: ir.Value, place: int) -> bool:
    """Whether two sizes have one name."""
    if one.shape is None or other.shape is None:
        return False
    size = one.shape[axis]
    return size == other.shape[place] and (isinstance(size, int) or size.value is not None)


def _origins(call: Call, value: ir.Value) -> Origins | None:
    node = value.producer()
    if node is not None and node.domain == "" and node.op_type in _FOLLOWED:
        return _FOLLOWED[node.op_type](call, node)
    shape = shape_of(value)
    if shape is None or len(shape) > 1 or None in shape:
        return None
    return [None] * (shape[0] or 0 if shape else 1)


def _of_shape(call: Call, node: ir.Node) -> Origins | None:
    tensor = node.inputs[0]
    if tensor is None or tensor.shape is None:
        return None
    sizes: Origins = [(tensor, axis) for axis in range(len(tensor.shape))]
    return sizes[node.attributes.get_int("start", 0) : node.attributes.get_int("end", None)]


def _of_first(call: Call, node: ir.Node) -> Origins | None:
    return None if node.inputs[0] is None else _origins(call, node.inputs[0])


def _of_concat(call: Call, node: ir.Node) -> Origins | None:
    joined: Origins = []
    for part in node.inputs:
        found = None if part is None else _origins(call, part)
        if found is None:
            return None
        joined += found
    return joined


def _of_slice(call: Call, node: ir.Node) -> Origins | None:
    found = _of_first(call, node)
    bounds = [_known(call, node, index) for index in (1, 2, 4)]
    start, end, step = (None if bound is None else int(bound.reshape(-1)[0]) for bound in bounds)
    if found is None or start is None or end is None:
        return None
    return found[start : end : step or 1] if len(node.inputs) < 5 or step else None


def _of_gather(call: Call, node: ir.Node) -> Origins | None:
    found, picked = _of_first(call, node), _known(call, node, 1)
    if found is None or picked is None:
        return None
    return [found[int(place)] for place in np.reshape(picked, -1)]


def _known(call: Call, node: ir.Node, index: int) -> Any:
    given = node.inputs[index] if index < len(node.inputs) else None
    constant = None if given is None else call.scope.value(given).constant
    return None if constant is None else constant.array()


_FOLLOWED: Mapping[str, Callable[[Call, ir.Node], Origins | None]] = {
    "Cast": _of_first,
    "Concat": _of_concat,
    "Gather": _of_gather,
    "Identity": _of_first,
    "Shape": _of_shape,
    "Slice": _of_slice,
    "Squeeze": _of_first,
    "Unsqueeze": _of_first,
}

"""The big constants of a graph, taken out of it: every later step copies and searches a light graph.

They stay constants there, with type and shape but without values, until the graph is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress.kinds import Array

LARGEST_CONSTANT = 4096
"""Elements up to which a weight stays a constant of the graph."""

_LIMIT = 2**31
"""Elements that no constant of a graph reaches."""

_STRING = 7
"""Value of TensorFlow's ``DataType``."""


def detach_constants(graph: Any, source: str) -> tuple[Any, dict[str, Array]]:
    """A copy of a `GraphDef` without the values of its big constants, and those values by node name.

    Raises:
        InvalidModel: A constant does not hold what its shape says.
    """
    tf = import_tensorflow()
    weights: dict[str, Array] = {}
    for node in _constants(graph):
        tensor = node.attr["value"].tensor
        try:
            if _size(tensor) > _LIMIT:
                raise ValueError("it is larger than a graph can be")
            array = tf.make_ndarray(tensor)
        except (TypeError, ValueError, KeyError) as error:  # a type, a shape or values that do not fit each other
            raise InvalidModel(f"{source} is corrupt: constant {node.name!r}: {first_line(error)}") from error
        weights[node.name] = array
        node.attr["value"].tensor.CopyFrom(type(tensor)(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape))
    light = type(graph)()
    light.CopyFrom(graph)  # a message keeps the memory of what was taken out of it
    return light, weights


def stand_in(node: Any, dtype: int, shape: tuple[int, ...]) -> None:
    """Turn a node into a `Placeholder` of a `DataType` and shape, in place."""
    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = dtype
    node.attr["shape"].shape.SetInParent()
    for size in shape:
        node.attr["shape"].shape.dim.add(size=size)


def fix(node: Any, array: Array) -> None:
    """Turn a node into a `Const` of these values, in place."""
    tf = import_tensorflow()
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype


def _constants(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        if node.op == "Const" and node.attr["value"].HasField("tensor"):
            tensor = node.attr["value"].tensor
            if _size(tensor) > LARGEST_CONSTANT and tensor.dtype != _STRING:
                yield node


def _size(tensor: Any) -> float:
    """Elements, as far as corrupt numbers have a product."""
    return float(np.prod([dim.size for dim in tensor.tensor_shape.dim], dtype=np.float64))

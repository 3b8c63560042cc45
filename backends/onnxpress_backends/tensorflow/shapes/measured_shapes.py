"""Computed shapes that are made of the sizes of tensors: ``Concat(Shape(x)[:2], [-1])``.

In the shape of a Reshape, 0 stands for the size of the input.  Where a shape is put together from sizes and from
numbers that are not 0, a 0 can only be an empty axis, and TensorFlow's Reshape takes it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call

_READ: Mapping[str, int | None] = {
    "Cast": 1,
    "Concat": None,
    "Gather": 1,
    "Identity": 1,
    "Max": None,
    "Mul": None,
    "ReduceProd": 1,
    "Reshape": 1,
    "Slice": 1,
    "Squeeze": 1,
    "Unsqueeze": 1,
}
"""Operators that make sizes of sizes, and how many of their inputs these are; None: all."""


def is_measured(call: Call, value: ir.Value) -> bool:
    """Whether the elements of a vector are sizes of tensors, products of sizes, or constants that are not 0.

    Args:
        call: The node that reads it.
        value: The vector.
    """
    constant = call.scope.value(value).constant
    if constant is not None:
        return bool(constant.array().all())
    node = value.producer()
    if node is None or node.domain != "":
        return False
    if node.op_type in ("Shape", "Size"):
        return True
    if node.op_type not in _READ:
        return False
    inputs = node.inputs[: _READ[node.op_type]]
    return all(each is not None and is_measured(call, each) for each in inputs)

"""Small values that follow from what is known when the graph is written: the arithmetic of shapes.

A graph that reshapes by the sizes of another tensor has a dozen nodes about a few integers (Shape, Gather, Concat,
Mul ...).  ONNX's reference implementation computes them here, so that rules see constants where TensorFlow would see
nodes.  Weights are left alone: they keep the name under which they can be tuned.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import shape_of
from onnxpress_backends.tensorflow.graphs.dtypes import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress_backends.tensorflow.call import Call
    from onnxpress_backends.tensorflow.layout.values import Value

LARGEST = 4096
"""Elements of what is computed, and of what it is computed from."""

FOLDABLE = frozenset(
    {
        *("Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Concat", "ConstantOfShape", "CumSum", "Div", "Equal"),
        *("Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Less"),
        *("LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range", "ReduceMax", "ReduceMin"),
        *("ReduceProd", "ReduceSum", "Reshape", "ScatterElements", "ScatterND", "Slice", "Split", "Sqrt", "Squeeze"),
        *("Sub", "Sum", "Transpose", "Unsqueeze", "Where", "Xor", "HannWindow", "HammingWindow", "BlackmanWindow"),
    }
)
"""Operators of which arithmetic of shapes is made."""

_EXACT = (DType.INT64, DType.INT32, DType.BOOL, DType.FLOAT, DType.DOUBLE)


def folded(call: Call) -> list[NDArray[Any]] | None:
    """The outputs of a node when they are small and known; None when it must run.

    Args:
        call: The node.
    """
    node = call.node
    if node.domain != "" or not (node.op_type in FOLDABLE or node.op_type in ("Shape", "Size")):
        return None
    if node.op_type in ("Shape", "Size"):
        return _measured(call)
    given = [None if value is None else call.value(index) for index, value in enumerate(node.inputs)]
    if not given or any(value is not None and not _small(value) for value in given):
        return None
    if any(value is not None and value.is_initializer() and _is_weight(value) for value in node.inputs):
        return None
    arrays = [None if value is None or value.constant is None else value.constant.array() for value in given]
    if _count(call, arrays) > LARGEST:
        return None
    return _evaluated(node, arrays, call.opset)


def _measured(call: Call) -> list[NDArray[Any]] | None:
    """Shape or Size of a tensor whose sizes are known."""
    import numpy as np

    shape = call.value(0).shape
    if shape is None or any(size is None for size in shape):
        return None
    if call.node.op_type == "Size":
        return [np.array(prod(size or 0 for size in shape), np.int64)]
    return [np.array(shape[call.attribute("start", 0) : call.attribute("end")], np.int64)]


def _small(value: Value) -> bool:
    constant = value.constant
    return (
        constant is not None
        and constant.quantization is None
        and constant.dtype in _EXACT
        and prod(constant.shape) <= LARGEST
    )


def _is_weight(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.is_floating_point()


def _count(call: Call, arrays: Sequence[NDArray[Any] | None]) -> float:
    """Elements of the largest output."""
    first = arrays[0]
    if call.node.op_type == "ConstantOfShape" and first is not None:
        return float(prod(int(size) for size in first))
    if call.node.op_type == "Range":
        start, limit, delta = (float(array.item()) for array in arrays if array is not None)
        return abs((limit - start) / delta) if delta else 0.0
    if call.node.op_type == "Expand" and first is not None and arrays[1] is not None:
        return float(first.size * prod(int(size) for size in arrays[1]))
    shape = shape_of(call.node.outputs[0])
    return 0.0 if shape is None else float(prod(size or 0 for size in shape))


def _evaluated(node: ir.Node, arrays: Sequence[NDArray[Any] | None], version: int) -> list[NDArray[Any]]:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    proto = ir.serde.serialize_node(node)
    names = {name for name in proto.input if name}
    graph = onnx.GraphProto(
        node=[proto],
        input=[onnx.ValueInfoProto(name=name) for name in sorted(names)],
        output=[onnx.ValueInfoProto(name=name) for name in proto.output if name],
    )
    feeds = {name: array for name, array in zip(proto.input, arrays, strict=True) if array is not None}
    with np.errstate(all="ignore"):
        results = iter(ReferenceEvaluator(graph, opsets={"": version}).run(None, feeds))
    return [np.asarray(next(results)) if name else np.zeros(0) for name in proto.output]

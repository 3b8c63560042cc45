"""Shapes of outputs, once more, where the arithmetic of shapes that is done meanwhile tells more of them.

ONNX's inference sees a Reshape to a computed shape and gives up; when that shape has become a constant, the same
inference for the one node gives its sizes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel, reason
from onnxpress_backends.tensorflow.call import shape_of
from onnxpress_backends.tensorflow.layout.layouts import Shape

if TYPE_CHECKING:
    import onnx

    from onnxpress_backends.tensorflow.call import Call

_LARGEST = 4096
"""Elements of a constant that inference may look into."""


def refine(call: Call) -> None:
    """Write what can be known into the shapes of a node's outputs, when its inputs are known better than they are.

    Args:
        call: The node; shapes that are known stay.

    Raises:
        UnsupportedModel: The node contradicts its inputs.
    """
    if not _may_gain(call):
        return
    import onnx

    node = call.node
    schema = onnx.defs.get_schema(node.op_type, call.opset, node.domain)
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for index, given in enumerate(node.inputs):
        if given is None or given.name is None or given.dtype is None:
            continue
        value = call.value(index)
        types[given.name] = onnx.helper.make_tensor_type_proto(int(given.dtype), value.shape)
        if value.constant is not None and prod(value.constant.shape) <= _LARGEST:
            data[given.name] = ir.serde.serialize_tensor(ir.tensor(value.constant.array()))
    opsets = [onnx.helper.make_opsetid(node.domain, call.opset)]
    try:
        inferred = onnx.shape_inference.infer_node_outputs(
            schema, ir.serde.serialize_node(node), types, data, opset_imports=opsets
        )
    except Exception as error:  # the C++ binding raises RuntimeError or its own InferenceError
        raise UnsupportedModel(f"{call.label} contradicts its inputs: {reason(error)}") from error
    for output in node.outputs:
        if output.name in inferred:
            _improve(output, inferred[output.name])


def _may_gain(call: Call) -> bool:
    node = call.node
    if node.domain or not node.inputs:
        return False
    if any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
        return False
    after = [_unknown(shape_of(output)) for output in node.outputs]
    if not any(after):
        return False
    before = [_unknown(call.value(index).shape) for index, value in enumerate(node.inputs) if value is not None]
    return max(after) > max(before, default=0)


def _unknown(shape: Shape | None) -> float:
    return float("inf") if shape is None else shape.count(None)


def _improve(output: ir.Value, inferred: onnx.TypeProto) -> None:
    found = ir.serde.deserialize_type_proto_for_shape(inferred)
    if found is None:
        return
    if output.shape is None:
        output.shape = found
        return
    sizes = zip(output.shape, found, strict=True)
    output.shape = ir.Shape([new if isinstance(new, int) and not isinstance(old, int) else old for old, new in sizes])

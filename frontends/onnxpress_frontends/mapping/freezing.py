"""A TensorFlow function becomes a graph without variables, its weights beside it.

The graph is the function's own, taken once and without values: every variable that the function captures is a
placeholder there, and stays one; `held_tensors` turns what it stands for from a resource into a tensor.  TensorFlow's
freezer writes all weights into protobufs, several times over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidModel
from onnxpress_frontends.mapping.held_tensors import changed_variables, hold_tensors, refuse_overtaken_reads
from onnxpress_frontends.reachability import keep_reachable, source_of

if TYPE_CHECKING:
    from onnxpress.kinds import Array
    from onnxpress_frontends.opening.named_function import NamedFunction


_STATE = (
    "the model keeps state from run to run (it changes variable {!r} that it reads); in ONNX every run starts from the "
    "state it has now"
)


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A graph between named tensors.

    Attributes:
        graph: A `GraphDef` that holds only what the outputs need.
        inputs: Tensors to feed, e.g. ``image:0``, in the order of the source.
        outputs: Tensors to fetch, in the order of the source.
        weights: The value of every other placeholder, by node name; arrays may share memory with a variable of the
            program, which TensorFlow copies before it changes it.
        warnings: Sentences that the user must see.
    """

    graph: Any
    inputs: list[str]
    outputs: list[str]
    weights: dict[str, Array]
    warnings: list[str] = field(default_factory=list)


def freeze(source: NamedFunction) -> Frozen:
    """Take the variables out of a function.

    Raises:
        InvalidModel: A variable has no value.
        UnsupportedModel: A variable is changed before it is read, or used in a way that a tensor has no match for.
    """
    import tensorflow as tf

    graph = source.function.graph.as_graph_def()
    inputs = [endpoint.tensor.name for endpoint in source.inputs]
    outputs = [endpoint.tensor.name for endpoint in source.outputs]
    refuse_overtaken_reads(graph.node, outputs)
    changed = changed_variables(graph.node)
    keep_reachable(graph.node, [*inputs, *outputs])
    kept = {node.name for node in graph.node}
    weights = {source_of(name): array for name, array in source.weights.items() if source_of(name) in kept}
    held = {}
    for outer, inner in source.function.graph.captures:
        name = inner.op.name
        if name not in kept:
            continue
        tensor = _value(outer, inner)
        if tensor is not None:
            weights[name] = _array(tensor)
            if inner.dtype != tensor.dtype:
                held[name] = tensor.dtype.as_datatype_enum
    for node in graph.node:
        if node.name in weights:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(weights[node.name].shape).as_proto())
    lost = [*sorted(changed & kept), *hold_tensors(graph, held)]
    names = [name.removesuffix("/resource").removesuffix("/ReadVariableOp") for name in lost]
    warnings = [_STATE.format(names[0])] if names else []
    return Frozen(graph=graph, inputs=inputs, outputs=outputs, weights=weights, warnings=warnings)


def _value(outer: Any, inner: Any) -> Any:
    """The tensor behind a capture; None for a resource that is no variable."""
    import tensorflow as tf
    from tensorflow.python.ops import handle_data_util

    if inner.dtype != tf.resource:
        return outer
    data = handle_data_util.get_resource_handle_data(inner)
    if not data.is_set or len(data.shape_and_type) != 1:
        return None
    if not tf.raw_ops.VarIsInitializedOp(resource=outer):
        raise InvalidModel(f"variable {inner.op.name!r} has no value; initialise or restore it first")
    return tf.raw_ops.ReadVariableOp(resource=outer, dtype=tf.as_dtype(data.shape_and_type[0].dtype))


def _array(tensor: Any) -> Array:
    """The values of an eager tensor, not copied where its type has a buffer."""
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError):  # bfloat16 and its like have none
        return np.asarray(tensor.numpy())

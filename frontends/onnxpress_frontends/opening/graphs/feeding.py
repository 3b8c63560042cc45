"""Any tensor of a graph can be an input: what computes it makes room for a placeholder of its type and shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.graphs.detached_weights import stand_in
from onnxpress_frontends.opening.graphs.graph_inputs import PLACEHOLDERS
from onnxpress_frontends.opening.graphs.names import tensor_name, unique_name
from onnxpress_frontends.opening.op_safety import HARMFUL
from onnxpress_frontends.reachability import keep_reachable, source_of
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

_QUEUES = frozenset(
    f"{name}Queue{version}" for name in ("FIFO", "PaddingFIFO", "RandomShuffle", "Priority") for version in ("", "V2")
)

_LOOKUPS = frozenset(("LookupTableFind", "LookupTableFindV2"))


def tensor_specs(graph: Any, tensors: Sequence[str], source: str = "this") -> list[Any]:
    """The `tf.TensorSpec` of each tensor ``node:slot``, as far as TensorFlow can infer it from `source`.

    Raises:
        InvalidModel: TensorFlow cannot make sense of the graph.
    """
    tf = import_tensorflow()
    part = type(graph)()
    part.CopyFrom(graph)
    keep_reachable(part.node, tensors)
    _keep_from_running(part)
    with tf.Graph().as_default() as scratch:
        try:
            with quiet():
                tf.graph_util.import_graph_def(part, name="")
            found = [scratch.as_graph_element(tensor) for tensor in tensors]
        except Exception as error:  # a corrupt node surfaces as ValueError, TypeError, KeyError or a TensorFlow error
            raise InvalidModel(f"{source} is not a sound TensorFlow graph: {first_line(error)}") from error
        return [tf.TensorSpec(_shape(tensor), tensor.dtype) for tensor in found]


def _shape(tensor: Any) -> Any:
    """What TensorFlow infers; what a lookup table gives for keys has their shape, though only the table would know."""
    if tensor.shape.rank is None and tensor.op.type in _LOOKUPS:
        return tensor.op.inputs[1].shape
    return tensor.shape


def feed(graph: Any, tensors: Sequence[str], source: str) -> dict[str, str]:
    """Make placeholders of tensors, in place; returns for each the name of the node that now stands for it.

    Raises:
        InvalidModel: TensorFlow cannot make sense of what computes one.
    """
    nodes = {node.name: node for node in graph.node}
    computed = [tensor for tensor in tensors if nodes[source_of(tensor)].op not in PLACEHOLDERS]
    specs = dict(zip(computed, tensor_specs(graph, computed, source), strict=True)) if computed else {}
    standing = {tensor: source_of(tensor) for tensor in tensors}
    used = {tensor_name(name) for node in graph.node for name in node.input if not name.startswith("^")}
    for tensor, spec in specs.items():
        node = nodes[source_of(tensor)]
        shape = _queue_shape(node, tensor, nodes) if spec.shape.rank is None else spec.shape
        if not tensor.endswith(":0") or any(source_of(name) == node.name for name in used - {tensor}):
            node = graph.node.add(name=unique_name(f"{node.name}/fed_{tensor.rpartition(':')[2]}", nodes))
            nodes[node.name] = node
            _redirect(graph, tensor, node.name)
            standing[tensor] = node.name
        _become_placeholder(node, spec.dtype.as_datatype_enum, shape)
    return standing


def _become_placeholder(node: Any, dtype: int, shape: Any) -> None:
    stand_in(node, dtype, () if shape.rank is None else tuple(-1 if size is None else size for size in shape))
    if shape.rank is None:
        node.attr["shape"].shape.unknown_rank = True


def _redirect(graph: Any, tensor: str, name: str) -> None:
    for node in graph.node:
        for index, used in enumerate(node.input):
            if not used.startswith("^") and tensor_name(used) == tensor:
                node.input[index] = name


def _queue_shape(node: Any, tensor: str, nodes: dict[str, Any]) -> Any:
    """What a queue hands out has the shape that its items were declared with, behind a batch if there are many."""
    tf = import_tensorflow()
    queue = nodes.get(source_of(node.input[0])) if node.op.startswith("QueueDequeue") else None
    shapes = queue.attr["shapes"].list.shape if queue is not None and queue.op in _QUEUES else ()
    slot = int(tensor.rpartition(":")[2])
    if slot >= len(shapes):
        return tf.TensorShape(None)
    item = tf.TensorShape(shapes[slot])
    many = "Many" in node.op or "UpTo" in node.op
    return tf.TensorShape([None]).concatenate(item) if many else item


def _keep_from_running(graph: Any) -> None:
    """Shape inference computes constants: what would run code or read files is replaced by what it gives."""
    for node in list(graph.node):
        if node.op in HARMFUL:
            types = list(_output_types(node))
            for slot in range(1, len(types)):
                other = graph.node.add(name=f"{node.name}/given_{slot}", op="Placeholder")
                _redirect(graph, f"{node.name}:{slot}", other.name)
                other.attr["dtype"].type = types[slot]
                other.attr["shape"].shape.unknown_rank = True
            stand_in(node, types[0] if types else 1, ())
            node.attr["shape"].shape.unknown_rank = True


def _output_types(node: Any) -> Iterator[int]:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    for argument in definition.output_arg if definition else ():
        if argument.type_list_attr:
            yield from node.attr[argument.type_list_attr].list.type
        elif argument.type_attr:
            yield node.attr[argument.type_attr].type
        else:
            yield argument.type

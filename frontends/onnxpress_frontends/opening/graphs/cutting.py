"""The part of a graph between its inputs and outputs, as a TensorFlow function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.graphs.names import listed, unique_name
from onnxpress_frontends.opening.named_function import NamedFunction, endpoints
from onnxpress_frontends.opening.op_safety import refuse_harmful
from onnxpress_frontends.reachability import called, keep_called, source_of
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

if TYPE_CHECKING:
    from onnxpress.kinds import Array


def cut(
    graph: Any,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    *,
    weights: Mapping[str, Array],
    variables: Mapping[str, Any],
    title: str,
    source: str,
) -> NamedFunction:
    """The function from placeholders to tensors.

    Args:
        graph: A `GraphDef` with nothing but what the outputs need.
        inputs: The user's name of each input to its placeholder.
        outputs: The user's name of each output to its tensor.
        weights: Node to the array that takes its place.
        variables: Node to the `tf.Variable` whose handle takes its place.
        title: Name of the model.
        source: What messages call it.

    Raises:
        InvalidModel: TensorFlow cannot make sense of the graph.
        UnsupportedModel: It holds operators that run code or touch files, or are unknown.
    """
    keep_called(graph)
    returned = [_behind_call(graph, tensor) for tensor in outputs.values()]
    refuse_harmful(graph, source)
    _refuse_unknown(graph, source)
    nodes = {node.name: node for node in graph.node}
    held = {name: array for name, array in weights.items() if name in nodes}
    handles = {name: variable for name, variable in variables.items() if name in nodes}
    specs = [_spec(nodes[name], source) for name in (*inputs.values(), *held)]
    taken = {*inputs.values(), *held, *handles}
    for index in reversed(range(len(graph.node))):
        if graph.node[index].name in taken:
            del graph.node[index]
    function = _wrap(graph, specs, handles, returned, source)
    ends = endpoints(inputs, function.inputs[: len(inputs)])
    names = [tensor.name for tensor in function.inputs[len(inputs) : len(specs)]]
    return NamedFunction(
        title=title,
        function=function,
        inputs=ends,
        outputs=endpoints(outputs, function.outputs, taken=[end.name for end in ends]),
        owner=list(handles.values()),
        weights=dict(zip(names, held.values(), strict=True)),
    )


def _wrap(graph: Any, specs: list[Any], handles: Mapping[str, Any], outputs: list[str], source: str) -> Any:
    """The concrete function that takes what `specs` say, captures `handles`, and returns the tensors `outputs`."""
    tf = import_tensorflow()
    used = {source_of(name) for node in graph.node for name in node.input}

    def body(*arguments: Any) -> list[Any]:
        scope = tf.compat.v1.get_default_graph()
        taken = {spec.name: argument for spec, argument in zip(specs, arguments, strict=True)}
        taken |= {name: scope.capture(variable.handle, name=name) for name, variable in handles.items()}
        given = {f"{name}:0": tensor for name, tensor in taken.items() if name in used}
        computed = [tensor for tensor in outputs if source_of(tensor) not in taken]
        found = tf.graph_util.import_graph_def(graph, input_map=given, return_elements=computed, name="")
        results = dict(zip(computed, found, strict=True))
        return [results[tensor] if tensor in results else taken[source_of(tensor)] for tensor in outputs]

    try:
        with quiet(), tf.device("/cpu:0"):
            return tf.compat.v1.wrap_function(body, specs)
    except Exception as error:  # a corrupt node surfaces as ValueError, TypeError, KeyError or a TensorFlow error
        raise InvalidModel(f"{source} is not a sound TensorFlow graph: {first_line(error)}") from error


def _behind_call(graph: Any, tensor: str) -> str:
    """A tensor to return: grappler does not inline a call whose results are returned themselves."""
    nodes = {node.name: node for node in graph.node}
    call = nodes[source_of(tensor)]
    kinds = next((call.attr[name].list.type for name in ("Tout", "T") if name in call.attr), ())
    slot = int(tensor.rpartition(":")[2])
    library = {function.signature.name for function in graph.library.function}
    if library.isdisjoint(called(call)) or slot >= len(kinds):
        return tensor
    identity = graph.node.add(name=unique_name(f"{call.name}/result", nodes), op="Identity", input=[tensor])
    identity.attr["T"].type = kinds[slot]
    return f"{identity.name}:0"


def _spec(node: Any, source: str) -> Any:
    tf = import_tensorflow()
    try:
        dtype = tf.as_dtype(node.attr["dtype"].type)
        if node.op == "Const":
            return tf.TensorSpec(tf.TensorShape(node.attr["value"].tensor.tensor_shape), dtype, name=node.name)
        shape = node.attr["shape"].shape if "shape" in node.attr else None
        return tf.TensorSpec(tf.TensorShape(shape), dtype, name=node.name)
    except (TypeError, ValueError) as error:
        raise InvalidModel(f"{source} is corrupt: node {node.name!r}: {first_line(error)}") from error


def _refuse_unknown(graph: Any, source: str) -> None:
    from tensorflow.python.framework import op_def_registry

    library = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    unknown = sorted({node.op for node in nodes if node.op not in library and not op_def_registry.get(node.op)})
    if unknown:
        raise UnsupportedModel(f"{source} uses operators that this TensorFlow does not know: {listed(unknown)}")

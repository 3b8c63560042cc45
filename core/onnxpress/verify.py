"""What must hold of a graph between any two steps.

Every value has one name and one definition, nodes come after what they use, nothing refers to a value that does not
exist, every domain has an opset, and types and shapes are known wherever ONNX can infer them and contradict nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.errors import InvalidModel, reason
from onnxpress.model_files import without_weights

if TYPE_CHECKING:
    import onnx

_SMALL = 1024
"""Bytes up to which initialisers take part in shape inference; shapes and axes are small."""


def verify(model: ir.Model) -> None:
    """Check `model`, and fill in the types and shapes that ONNX can infer.

    Raises:
        InvalidModel: A rule is broken; the message lists every breach, at most five.
    """
    refuse(structural_breaches(model))
    infer_shapes(model)


def refuse(breaches: Sequence[str]) -> None:
    """Do nothing when there are no breaches.

    Raises:
        InvalidModel: There are some; the message lists at most five.
    """
    if breaches:
        more = f" (and {len(breaches) - 5} more)" if len(breaches) > 5 else ""
        raise InvalidModel("; ".join(breaches[:5]) + more)


def structural_breaches(model: ir.Model) -> list[str]:
    """Which rules on names, definitions, order and opsets `model` breaks, operators unseen."""
    breaches = [*_opset_problems(model), *_graph_problems(model.graph, {})]
    for function in model.functions.values():
        breaches += [*_opset_problems(model, function), *_graph_problems(function, {})]
    return breaches


def infer_shapes(model: ir.Model) -> None:
    """Write inferred types and shapes into the values of `model`, subgraphs included.

    Weights stay where they are: inference sees a copy in which large initialisers are empty references.  ONNX takes
    every small integer tensor for a list of sizes and fails on valid arithmetic of matrices of them; such a model is
    inferred without looking at values.

    Raises:
        InvalidModel: What is written in the graph contradicts what its operators give.
    """
    try:
        proto = ir.serde.serialize_model(without_weights(model, keep=_SMALL))
    except Exception as error:  # a name that is no UTF-8, say: serialisation raises its own SerdeError
        raise InvalidModel(f"the graph cannot be written as ONNX: {reason(error)}") from error
    _spell_defaults(proto.graph, model.opset_imports.get("", 1))
    try:
        inferred = _inferred(proto, values=True)
    except InvalidModel:
        inferred = _inferred(proto, values=False)
    _apply(inferred.graph, model.graph)


def _spell_defaults(graph: onnx.GraphProto, version: int) -> None:
    """Write out attributes left to their defaults: ONNX infers through definitions of operators, which miss them."""
    import onnx

    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _spell_defaults(attribute.g, version)
        if node.domain or not onnx.defs.has(node.op_type, version, ""):
            continue
        schema: Any = onnx.defs.get_schema(node.op_type, version)
        if schema.has_function:
            given = {attribute.name for attribute in node.attribute}
            defaults = (item.default_value for name, item in schema.attributes.items() if name not in given)
            node.attribute.extend(default for default in defaults if default.name)


def _inferred(proto: onnx.ModelProto, *, values: bool) -> onnx.ModelProto:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=values)
    except Exception as error:  # the C++ binding raises RuntimeError, ValueError or its own InferenceError
        raise InvalidModel(f"shape inference failed: {reason(error)}") from error


def _apply(inferred: onnx.GraphProto, graph: ir.Graph) -> None:
    known = {info.name: info for info in [*inferred.value_info, *inferred.output]}
    for node, node_proto in zip(graph, inferred.node, strict=True):
        for value in node.outputs:
            info = known.get(value.name or "")
            if info is not None and info.HasField("type"):
                value.type = ir.serde.deserialize_type_proto_for_type(info.type)
                value.shape = ir.serde.deserialize_type_proto_for_shape(info.type)
        subgraphs = {attribute.name: attribute.g for attribute in node_proto.attribute if attribute.HasField("g")}
        for attribute in node.attributes.values():
            if attribute.name in subgraphs and attribute.type == ir.AttributeType.GRAPH:
                _apply(subgraphs[attribute.name], attribute.as_graph())


def _opset_problems(model: ir.Model, function: ir.Function | None = None) -> Iterator[str]:
    imports = model.opset_imports if function is None else function.opset_imports
    nodes = model.graph.all_nodes() if function is None else function.all_nodes()
    seen: set[str] = set()
    for node in nodes:
        if node.domain not in imports and node.domain not in seen:
            seen.add(node.domain)
            yield f"node {node.name!r} ({node.op_type}) is of domain {node.domain!r}, which no opset import covers"


def _graph_problems(graph: ir.Graph | ir.Function, visible: Mapping[str, ir.Value]) -> Iterator[str]:
    scope, node_names = dict(visible), set[str]()
    initializers = graph.initializers if isinstance(graph, ir.Graph) else {}
    for value in [*graph.inputs, *(value for value in initializers.values() if not value.is_graph_input())]:
        yield from _define(value, scope)
    for name, value in initializers.items():
        if value.const_value is None:
            yield f"initialiser {name!r} has no data"
    for node in graph:
        if node.name in node_names:
            yield f"two nodes are called {node.name!r}"
        if node.name:
            node_names.add(node.name)
        for used in node.inputs:
            if used is not None and scope.get(used.name or "") is not used:
                yield f"node {node.name!r} ({node.op_type}) uses {used.name!r}, which is not defined before it"
        for attribute in node.attributes.values():
            for subgraph in _subgraphs(attribute):
                yield from _graph_problems(subgraph, scope)
        for value in node.outputs:
            if value.name or value.uses():
                yield from _define(value, scope)
    for output in graph.outputs:
        if scope.get(output.name or "") is not output:
            yield f"output {output.name!r} of the graph is not defined in it"


def _define(value: ir.Value, scope: dict[str, ir.Value]) -> Iterator[str]:
    if not value.name:
        yield f"an output of node {getattr(value.producer(), 'name', None)!r} has no name"
    elif value.name in scope:
        yield f"two values are called {value.name!r}"
    else:
        scope[value.name] = value


def _subgraphs(attribute: ir.Attr) -> Iterator[ir.Graph]:
    if attribute.is_ref():
        return
    if attribute.type == ir.AttributeType.GRAPH:
        yield attribute.as_graph()
    elif attribute.type == ir.AttributeType.GRAPHS:
        yield from attribute.as_graphs()

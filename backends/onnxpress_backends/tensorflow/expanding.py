"""Operators without a rule of their own, replaced by what they are defined as: ONNX gives many a function body."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

_ROUNDS = 5
"""How deep definitions may nest."""


def expand(model: ir.Model, known: Collection[str]) -> ir.Model:
    """Inline the functions of `model` and the definitions of operators that are not `known`; changes `model`.

    Args:
        model: The model.
        known: Operators that have a rule.

    Returns:
        The model.
    """
    from onnxpress.verify import infer_shapes

    if model.functions:
        model = InlinePass()(model).model
    for _ in range(_ROUNDS):
        unknown = [node for node in model.graph.all_nodes() if node.domain == "" and node.op_type not in known]
        if not unknown:
            break
        infer_shapes(model)  # some definitions depend on the types
        for count, node in enumerate(unknown):
            _define(model, node, f"body_{count}")
        if not model.functions:
            break
        model = InlinePass()(model).model
    return model


def _define(model: ir.Model, node: ir.Node, overload: str) -> None:
    """Make `node` a call of a function of the model that holds its definition."""
    body = _body(node, model.opset_imports[node.domain])
    if body is None:
        return
    body.name, body.domain, body.overload = node.op_type, "onnxpress.definitions", overload
    function = ir.serde.deserialize_function(body)
    model.functions[function.identifier()] = function
    for domain, version in function.opset_imports.items():
        function.opset_imports[domain] = model.opset_imports.setdefault(domain, version)
    node.domain, node.overload = body.domain, overload
    model.opset_imports.setdefault(body.domain, 1)


def _body(node: ir.Node, version: int) -> Any:
    import onnx

    try:
        schema: Any = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return None
    proto = onnx.FunctionProto()
    versions = [known for known in schema.function_opset_versions if known <= version]
    if versions:
        proto.ParseFromString(schema.get_function_with_opset_version(max(versions)))
        return proto
    versions = [known for known in schema.context_dependent_function_opset_versions if known <= version]
    if not versions:
        return None
    types = [
        b"" if value is None or value.type is None else ir.serde.serialize_type(value.type).SerializeToString()
        for value in node.inputs
    ]
    text = schema.get_context_dependent_function_with_opset_version(
        max(versions), ir.serde.serialize_node(node).SerializeToString(), types
    )
    proto.ParseFromString(text)
    return proto

"""Operators without a rule of their own, replaced by what they are defined as: ONNX gives many a function body."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel, reason

_ROUNDS = 5
"""How deep definitions may nest."""


def expand(model: ir.Model, known: Collection[str]) -> ir.Model:
    """`model` with its functions inlined, and the definitions of operators that are not `known`.

    Args:
        model: The model; it is changed.
        known: Operators that have a rule.

    Raises:
        UnsupportedModel: ONNX cannot inline a definition.
    """
    import onnx.inliner
    from onnx_ir.passes.common import InlinePass

    from onnxpress.opset import through_proto

    if model.functions:
        model = InlinePass()(model).model
    for _ in range(_ROUNDS):
        names = {node.op_type for node in model.graph.all_nodes() if node.domain == ""}.difference(known)
        if not any(_has_body(name, model.opset_imports[""]) for name in names):
            break
        operators = [("", name) for name in sorted(names)]
        try:
            through_proto(
                model,
                lambda proto, chosen=operators: onnx.inliner.inline_selected_functions(  # type: ignore[misc]
                    proto, chosen, inline_schema_functions=True
                ),
            )
        except Exception as error:  # the C++ binding raises RuntimeError and what its builders raise
            spelt = ", ".join(name for _, name in operators)
            raise UnsupportedModel(
                f"the definition of an operator ({spelt}) cannot be used: {reason(error)}"
            ) from error
    return model


def _has_body(name: str, version: int) -> bool:
    import onnx

    try:
        schema = onnx.defs.get_schema(name, version, "")
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)

"""Operators without a rule of their own, replaced by what they are defined as: ONNX gives many a function body."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel, reason
from onnxpress_backends.tensorflow.call import operator_name

if TYPE_CHECKING:
    import onnx

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
        unknown = {(node.domain, node.op_type) for node in model.graph.all_nodes() if operator_name(node) not in known}
        operators = sorted(operator for operator in unknown if _has_body(*operator, model.opset_imports))
        if not operators:
            break
        try:
            through_proto(
                model,
                lambda proto, chosen=operators: onnx.inliner.inline_selected_functions(  # type: ignore[misc]
                    _with_type_of_nothing(proto), chosen, inline_schema_functions=True
                ),
            )
        except Exception as error:  # the C++ binding raises RuntimeError and what its builders raise
            spelt = ", ".join(name for _, name in operators)
            raise UnsupportedModel(
                f"the definition of an operator ({spelt}) cannot be used: {reason(error)}"
            ) from error
    return model


def _with_type_of_nothing(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Give inputs that are left out a type, for which ONNX's inliner asks and fails."""
    import onnx

    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("", onnx.TensorProto.UNDEFINED, None))
    return proto


def _has_body(domain: str, name: str, opsets: Mapping[str, int]) -> bool:
    import onnx

    try:
        schema: Any = onnx.defs.get_schema(name, opsets[domain], domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)

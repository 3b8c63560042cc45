"""Nothing leaves a frontend that ONNX does not define, or that the checker or onnxruntime rejects."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.foreign_errors import first_line

_BIG = 4096
"""Bytes beyond which the values of a weight decide nothing about the form of a graph."""


def refuse_foreign_ops(model: ir.Model) -> None:
    """Refuse nodes whose operator has no schema at the opset that the model imports.

    Raises:
        UnsupportedModel: There are some; the message gives each operator's name, count and first node.
    """
    import onnx

    foreign: dict[str, list[str]] = {}
    for node in model.graph.all_nodes():
        version = model.opset_imports.get(node.domain)
        if version is None or not onnx.defs.has(node.op_type, max_inclusive_version=version, domain=node.domain):
            foreign.setdefault(node.op_type, []).append(node.name or "")
    if foreign:
        found = ", ".join(f"{op} ({len(nodes)}, first {nodes[0]!r})" for op, nodes in sorted(foreign.items()))
        raise UnsupportedModel(
            f"the model uses TensorFlow ops that have no ONNX form: {found}; "
            "replace these layers by ones built of ordinary ops, or cut the model before them with option 'outputs'"
        )


def check(model: ir.Model) -> Session:
    """Have the ONNX checker and onnxruntime accept the model; both see a copy that is fed its big weights.

    Returns:
        The copy ready to run; it takes the big weights as inputs of their names.

    Raises:
        InvalidModel: One of them rejects it.
    """
    import onnx

    fed = _with_weights_fed(model)
    try:
        onnx.checker.check_model(ir.serde.serialize_model(fed), full_check=True)
    except Exception as error:  # ValidationError, or InferenceError from the C++ side
        raise InvalidModel(f"the conversion gave a graph that ONNX rejects: {first_line(error)}") from error
    return Session(fed)


def _with_weights_fed(model: ir.Model) -> ir.Model:
    fed = model.clone()
    for name, value in list(fed.graph.initializers.items()):
        if value.const_value is not None and value.const_value.nbytes > _BIG and not value.is_graph_output():
            del fed.graph.initializers[name]
            fed.graph.inputs.append(value)
    return fed

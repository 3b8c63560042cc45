"""Nothing leaves a frontend that ONNX does not define, or that the checker or onnxruntime rejects."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress import model_files
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.foreign_errors import first_line


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


def check(model: ir.Model) -> None:
    """Have the ONNX checker and onnxruntime accept the model.

    Raises:
        InvalidModel: One of them rejects it.
    """
    import onnx

    if model_files.size(model) <= model_files.PROTOBUF_LIMIT:
        try:
            onnx.checker.check_model(model_files.to_proto(model), full_check=True)
        except Exception as error:  # ValidationError, or InferenceError from the C++ side
            raise InvalidModel(f"the conversion gave a graph that ONNX rejects: {first_line(error)}") from error
    Session(model)

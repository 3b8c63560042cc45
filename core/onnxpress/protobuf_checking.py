"""A protobuf of a model before anything is made of it: what the ONNX checker says, and where external data lie."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.errors import InvalidModel, reason

if TYPE_CHECKING:
    import onnx

_UNKNOWN_DOMAIN = "onnxpress.unknown"
"""The checker passes over operators of domains that it does not know."""


def check(proto: onnx.ModelProto, *, beyond: Collection[str] = (), name: str = "the model") -> None:
    """Ask the ONNX checker about a protobuf.

    Args:
        proto: The model; it is not changed.
        beyond: Operators that it may hold in the default domain although ONNX does not define them.
        name: What an error calls it.

    Raises:
        InvalidModel: The checker rejects it.
    """
    objection = rejection(without(proto, beyond) or proto)
    if objection is not None:
        raise InvalidModel(f"{name} is not a valid model: {reason(objection)}") from objection


def rejection(model: str | onnx.ModelProto) -> Exception | None:
    """What the ONNX checker has against a file or a protobuf."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except Exception as error:  # the C++ binding raises its own ValidationError, RuntimeError or UnicodeDecodeError
        return error
    return None


def without(proto: onnx.ModelProto, operators: Collection[str]) -> onnx.ModelProto | None:
    """A copy for the checker: `operators` are of a domain it does not know, external weights are empty.  None: no such.

    The checker looks for external data beside a file, and a copy is no file.
    """
    import onnx

    def of(model: onnx.ModelProto) -> list[onnx.NodeProto]:
        nodes = (node for holder in _holders(model) for node in holder.node)
        return [node for node in nodes if node.op_type in operators and not node.domain]

    if not of(proto):
        return None
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for node in of(copy):
        node.domain = _UNKNOWN_DOMAIN
    for imports in [copy.opset_import, *(function.opset_import for function in copy.functions)]:
        imports.add(domain=_UNKNOWN_DOMAIN, version=1)
    for tensor in tensors(copy):
        if tensor.data_location == tensor.EXTERNAL:
            tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0]))
    return copy


def check_external_data(proto: onnx.ModelProto, path: Path) -> None:
    """Check where the external data of a file lie.

    Raises:
        InvalidModel: They are missing, or outside the folder of `path`.
    """
    folder = path.absolute().parent.resolve()
    for tensor in tensors(proto):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        location = Path(next((str(entry.value) for entry in tensor.external_data if entry.key == "location"), ""))
        target = (folder / location).resolve()
        if location.is_absolute() or folder not in target.parents:
            raise InvalidModel(
                f"{path}: weight {tensor.name!r} refers to {str(location)!r}, outside the model's folder; "
                "external data must lie beside the model"
            )
        if not target.is_file():
            raise InvalidModel(f"{path}: external data file {str(location)!r} of weight {tensor.name!r} is missing")


def _holders(proto: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Whatever holds nodes: the graph, functions, and the graphs in attributes of nodes."""
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [proto.graph, *proto.functions]
    while waiting:
        yield (holder := waiting.pop())
        for node in holder.node:
            for attribute in node.attribute:
                waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model: initialisers and attributes, in subgraphs and functions too."""
    import onnx

    for holder in _holders(proto):
        if isinstance(holder, onnx.GraphProto):
            yield from holder.initializer
            for sparse in holder.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in holder.node:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.HasField("t") else []
                yield from attribute.tensors

"""ONNX files in and out: checked when read, written atomically, weights beyond 2 GB memory-mapped."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import onnx_ir as ir

from onnxpress import streaming
from onnxpress.errors import InvalidModel, reason
from onnxpress.files import publish_all, staging
from onnxpress.protobuf_checking import check_external_data, rejection, without

if TYPE_CHECKING:
    import onnx

PROTOBUF_LIMIT = 2_000_000_000
"""Bytes of weights above which a model is written with external data; protobuf itself ends at 2**31."""

_SMALL = 1024  # bytes up to which an external tensor comes into memory


def load(path: str | Path, *, beyond: Collection[str] = ()) -> ir.Model:
    """Read an ONNX file; external weights stay on disk, memory-mapped: leave the files there while the model is used.

    External tensors of attributes come into memory, for whatever moves or writes weights looks at initialisers alone;
    so do small ones, such as the shapes that inference reads.

    Args:
        path: The file.
        beyond: Operators that the file may hold in the default domain although ONNX does not define them.

    Raises:
        InvalidModel: The file is missing, truncated, corrupt, rejected by the ONNX checker, or refers to external data
            that are missing, too short, or outside its folder.
    """
    path = Path(path)
    objection = rejection(os.fspath(path))  # before the file is read here: the checker holds a copy while it works
    proto = _parse(path)
    check_external_data(proto, path)
    if objection is not None and (rest := without(proto, beyond)) is not None:
        objection = rejection(rest)
    if objection is not None:
        raise InvalidModel(f"{path} is not a valid ONNX model: {reason(objection)}") from objection
    model = from_proto(proto, name=os.fspath(path))
    for graph in model.graphs():
        ir.external_data.set_base_dir(graph, path.absolute().parent)
    for graph in model.graphs():
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                _check_extent(value.const_value, path)
                if value.const_value.nbytes <= _SMALL:
                    value.const_value = _in_memory(value.const_value)
    _read_attributes(model, path)
    return model


def from_proto(proto: onnx.ModelProto, *, name: str = "the model") -> ir.Model:
    """Turn a protobuf into an `onnx_ir.Model`.

    Raises:
        InvalidModel: The protobuf breaks a rule of ONNX.
    """
    try:
        model = ir.serde.deserialize_model(proto)
        ir.serde.serialize_model(without_weights(model))  # what cannot be written again, a name that is no UTF-8, say
        _read_through(model)
        for imports in (model.opset_imports, *(function.opset_imports for function in model.functions.values())):
            if "ai.onnx" in imports:  # another name of the default domain
                imports.setdefault("", imports.pop("ai.onnx"))
        return model
    except Exception as error:  # deserialisation is not ours, and raises whatever a corrupt field provokes
        raise InvalidModel(f"{name} is not a valid ONNX model: {reason(error)}") from error


def _read_through(model: ir.Model) -> None:
    """Numbers that do not fit their shape show only when they are read."""
    attributes = (attribute for node in model.graph.all_nodes() for attribute in node.attributes.values())
    constants = (item.as_tensor() for item in attributes if item.type == ir.AttributeType.TENSOR and not item.is_ref())
    for tensor in [*_initializers(model), *constants]:
        if not isinstance(tensor, ir.ExternalTensor):
            tensor.numpy()


def save(model: ir.Model, path: str | Path, *, external_data: bool | None = None) -> list[Path]:
    """Write `model` to `path`, atomically; an existing file is replaced only once the new one is complete.

    Args:
        model: The model; it is not changed.
        path: Where the ``.onnx`` file goes.
        external_data: Weights in ``<name>.data`` beside the file.  None: only when they pass 2 GB.

    Returns:
        The files written, the model first.

    Raises:
        InvalidModel: The weights pass 2 GB and `external_data` is False.
        OnnxpressError: The place cannot be written, or the disk is full.
    """
    path = Path(path)
    external = size(model) > PROTOBUF_LIMIT if external_data is None else external_data
    if not external and size(model) > PROTOBUF_LIMIT:
        raise InvalidModel(f"{path} would hold {size(model):,} bytes of weights; over 2 GB needs external data")
    with staging(path.absolute().parent) as folder:
        staged = folder / path.name
        names = [f"{path.name}.data"] if external else []
        if external:
            ir.save(model.clone(), staged, external_data=names[0], size_threshold_bytes=1024)
            names = [name for name in names if (folder / name).is_file() and (folder / name).stat().st_size]
        else:
            with staged.open("wb") as file:
                streaming.write(*_parts(model), file)
        publish_all([*(folder / name for name in names), staged], path.absolute().parent)
    return [path, *(path.parent / name for name in names)]


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """The model as one protobuf, external weights included."""
    if external_folders(model):
        model = model.clone()
        ir.external_data.load_to_model(model)
    return ir.serde.serialize_model(model)


def size(model: ir.Model) -> int:
    """Bytes of all initialisers, in every subgraph."""
    return sum(tensor.nbytes for tensor in _initializers(model))


def file_size(model: ir.Model) -> int:
    """Bytes of the model as an ONNX file, weights included."""
    return streaming.size(*_parts(model))


def without_weights(model: ir.Model, *, keep: int = 0) -> ir.Model:
    """A copy in which every initialiser of more than `keep` bytes is a reference to a file that does not exist.

    It is small enough to be serialised whatever the model's size, and complete enough for shape inference.
    """
    skeleton = model.clone()
    for graph in skeleton.graphs():
        _empty(graph, keep)
    return skeleton


def _empty(graph: ir.Graph, keep: int) -> None:
    for name, value in graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes > keep:
            value.const_value = ir.ExternalTensor(
                "absent", 0, tensor.nbytes, tensor.dtype, shape=cast(ir.Shape, tensor.shape), name=name
            )


def external_folders(model: ir.Model) -> list[str]:
    """The folders that hold the model's external weights, sorted."""
    return sorted(
        {os.fspath(tensor.base_dir) for tensor in _initializers(model) if isinstance(tensor, ir.ExternalTensor)}
    )


def _parts(model: ir.Model) -> tuple[onnx.ModelProto, list[ir.TensorProtocol]]:
    """The model without the initialisers of its main graph, and those."""
    frame = model.clone()
    frame.graph.initializers.clear()
    weights = [value.const_value for value in model.graph.initializers.values() if value.const_value is not None]
    return to_proto(frame), weights


def _initializers(model: ir.Model) -> Iterator[ir.TensorProtocol]:
    for graph in model.graphs():
        for value in graph.initializers.values():
            if value.const_value is not None:
                yield value.const_value


def _parse(path: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load_model(os.fspath(path), format="protobuf", load_external_data=False)
    except FileNotFoundError as error:
        raise InvalidModel(f"{path} does not exist") from error
    except OSError as error:
        raise InvalidModel(f"cannot read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise InvalidModel(f"{path} is not an ONNX file, or is truncated or corrupt") from error
    if not proto.HasField("graph") or not proto.ir_version:
        raise InvalidModel(f"{path} is not an ONNX file, or is truncated or corrupt: it holds no graph")
    return proto


def _read_attributes(model: ir.Model, path: Path) -> None:
    holders: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for holder in holders:
        for node in holder.all_nodes():
            for name, attribute in list(node.attributes.items()):
                tensor = attribute.value
                if attribute.type == ir.AttributeType.TENSOR and isinstance(tensor, ir.ExternalTensor):
                    tensor.base_dir = path.absolute().parent
                    _check_extent(tensor, path)
                    node.attributes[name] = ir.AttrTensor(name, _in_memory(tensor))


def _in_memory(tensor: ir.ExternalTensor) -> ir.Tensor[Any]:
    return ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)


def _check_extent(tensor: ir.ExternalTensor, path: Path) -> None:
    start, size, available = tensor.offset or 0, tensor.nbytes, Path(tensor.path).stat().st_size
    if tensor.length not in (None, size):
        raise InvalidModel(f"{path}: weight {tensor.name!r} takes {size} bytes, but its entry says {tensor.length}")
    if start < 0 or start + size > available:
        raise InvalidModel(
            f"{path}: weight {tensor.name!r} needs bytes {start}..{start + size} of {str(tensor.location)!r}, "
            f"which has only {available}; the file is truncated"
        )

"""An ONNX file written piece by piece: a weight goes to disk from where it is, in memory or in a mapped file.

Serialising a model the usual way copies its weights twice, into a protobuf and into its bytes.  Here protobuf writes
everything but the weights, and each weight follows as one more ``initializer`` of the graph, at its end: the order of
fields means nothing to a reader (protobuf's encoding guide, "Field Order").  A lazy weight is made when its turn comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

import onnx_ir as ir

if TYPE_CHECKING:
    import onnx

_RAW = (ir.Tensor, ir.ExternalTensor, ir.LazyTensor, ir.PackedTensor)
"""Tensors that write their bytes as they are."""

_GRAPH, _INITIALIZER, _RAW_DATA = b"\x3a", b"\x2a", b"\x4a"
"""Fields 7 of ModelProto, 5 of GraphProto and 9 of TensorProto, each with wire type 2, length-delimited."""


def write(frame: onnx.ModelProto, weights: Sequence[ir.TensorProtocol], file: BinaryIO) -> None:
    """Write a model as one protobuf.

    Args:
        frame: The model without initialisers in its main graph; that graph is cleared.
        weights: Those initialisers.
        file: Where to.
    """
    begin, heads = _framing(frame, weights)
    file.write(begin)
    for head, weight in zip(heads, weights, strict=True):
        file.write(head)
        if _is_raw(weight):
            weight.tofile(file)


def size(frame: onnx.ModelProto, weights: Sequence[ir.TensorProtocol]) -> int:
    """Bytes that `write` would write; arguments as there."""
    begin, heads = _framing(frame, weights)
    return len(begin) + sum(map(len, heads)) + sum(map(_body_size, weights))


def _framing(frame: onnx.ModelProto, weights: Sequence[ir.TensorProtocol]) -> tuple[bytes, list[bytes]]:
    """What comes before the first weight, and what comes before the data of each."""
    graph = frame.graph.SerializeToString(deterministic=True)
    frame.ClearField("graph")
    heads = [_entry(weight) for weight in weights]
    length = len(graph) + sum(map(len, heads)) + sum(map(_body_size, weights))
    return frame.SerializeToString(deterministic=True) + _GRAPH + _varint(length) + graph, heads


def _entry(weight: ir.TensorProtocol) -> bytes:
    head = _head(weight)
    return _INITIALIZER + _varint(len(head) + _body_size(weight)) + head


def _head(weight: ir.TensorProtocol) -> bytes:
    """The tensor up to its raw data; all of it when its data have another form."""
    import onnx

    if not _is_raw(weight):
        return bytes(ir.serde.serialize_tensor(weight).SerializeToString(deterministic=True))
    proto = onnx.TensorProto(name=weight.name or "", data_type=weight.dtype.value, dims=weight.shape.numpy())
    if weight.doc_string:
        proto.doc_string = weight.doc_string
    return bytes(proto.SerializeToString(deterministic=True)) + _RAW_DATA + _varint(weight.nbytes)


def _body_size(weight: ir.TensorProtocol) -> int:
    return weight.nbytes if _is_raw(weight) else 0


def _is_raw(
    weight: ir.TensorProtocol,
) -> TypeGuard[ir.Tensor[Any] | ir.ExternalTensor | ir.LazyTensor | ir.PackedTensor[Any]]:
    return isinstance(weight, _RAW) and not weight.metadata_props


def _varint(number: int) -> bytes:
    groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])

"""A graph as TensorFlow's GraphDef, written node by node: no message ever holds more than one weight."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor
from onnxpress_backends.tensorflow.graphs.op_definitions import definition
from onnxpress_backends.tensorflow.graphs.protos import protos

LARGEST = 2**31 - 1
"""Bytes that protobuf can hold."""

_PRODUCER = 1087
"""Version of the GraphDef format, that of TensorFlow 2.8."""

_CALLS = ("StatelessIf", "StatelessWhile")
"""Operators that TensorFlow runs node by node, rather than function by function, when it is told that it may."""

_NODE, _VERSIONS, _LIBRARY = b"\x0a", b"\x22", b"\x12"
"""Tags of the fields 1, 4 and 2 of a GraphDef."""


@dataclass(frozen=True)
class Given:
    """The value of an attribute inside a function: what the node that calls the function says of `attribute`."""

    attribute: str


def write(graph: Graph, file: BinaryIO, *, library: Iterable[Any] = ()) -> None:
    """Write `graph` as a serialised GraphDef.

    Args:
        graph: The graph.
        file: Where to.
        library: Messages FunctionDef of functions besides those of the graph.

    Raises:
        UnsupportedModel: It passes 2 GB.
    """
    size = sum(node.weight.nbytes for node in graph.nodes if node.weight is not None)
    if size > LARGEST:
        raise UnsupportedModel(
            f"a frozen graph holds at most 2 GB, and the weights have {size / 2**30:.1f}; write a SavedModel: "
            "give the output a name that ends in a slash, or choose backend 'savedmodel'"
        )
    written = 0
    for part in _parts(graph, library):
        written += len(part)
        if written > LARGEST:
            raise UnsupportedModel("the frozen graph passes 2 GB; write a SavedModel instead (backend 'savedmodel')")
        file.write(part)


def message(graph: Graph) -> Any:
    """`graph` as one GraphDef message; for graphs without large weights."""
    proto = protos().graph.GraphDef()
    proto.ParseFromString(b"".join(_parts(graph)))
    return proto


def _parts(graph: Graph, library: Iterable[Any] = ()) -> Iterator[bytes]:
    inner_first = [_function(each) for each in reversed(graph.functions)]
    functions = [*reversed(inner_first), *library]
    if functions:
        yield from _field(_LIBRARY, protos().function.FunctionDefLibrary(function=functions))
    for node in graph.nodes:
        yield from _field(_NODE, _node(node, _edge))
    yield from _field(_VERSIONS, protos().versions.VersionDef(producer=_PRODUCER))


def _field(tag: bytes, proto: Any) -> Iterator[bytes]:
    body = proto.SerializeToString(deterministic=True)
    length = len(body)
    groups = [length >> shift & 0x7F for shift in range(0, max(length.bit_length(), 1), 7)]
    yield tag + bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
    yield body


def _node(node: Node, edge: Any) -> Any:
    proto = protos().node_def.NodeDef(name=node.name, op=node.op, input=[edge(tensor) for tensor in node.inputs])
    if node.op == "Const":
        array = node.weight.array() if node.weight is not None else node.attrs["value"]
        proto.attr["dtype"].type = node.attrs["dtype"]
        proto.attr["value"].tensor.CopyFrom(tensor_proto(array, node.attrs["dtype"]))
        return proto
    kinds: Mapping[str, str] = definition(node.op).attrs
    for name, value in node.attrs.items():
        set_attribute(proto.attr[name], kinds[name], value)
    if node.op in _CALLS:
        proto.attr["_lower_using_switch_merge"].b = True
    return proto


def _edge(tensor: Tensor) -> str:
    return tensor.node.name if tensor.index == 0 else f"{tensor.node.name}:{tensor.index}"


def _edge_in_function(tensor: Tensor) -> str:
    """Functions name the output by its argument: ``node:output:0``."""
    node, index = tensor.node, tensor.index
    if node.op == "Placeholder":
        return node.name
    for name, kind in definition(node.op).outputs:
        number, _, of = kind.rpartition("*")
        count = len(node.attrs[of]) if kind.startswith("*") else node.attrs[number] if number else 1
        if index < count:
            return f"{node.name}:{name}:{index}"
        index -= count
    raise AssertionError(tensor)


def _function(function: Function) -> Any:
    """Its FunctionDef; settles its title, for which those of the functions that it calls must be settled."""
    proto = function_def(function)
    digest = hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()
    function.title = proto.signature.name = f"{function.name}_{digest[:12]}"
    return proto


def function_def(function: Function) -> Any:
    """The FunctionDef of a function, without a name."""
    proto = protos().function.FunctionDef()
    for index, argument in enumerate(function.arguments):
        proto.signature.input_arg.add(name=argument.node.name, type=argument.dtype)
        _set_shape(proto.arg_attr[index].attr["_output_shapes"].list.shape.add(), argument.node.attrs["shape"])
    for index, tensor in enumerate(function.results):
        name = f"result_{index}"
        proto.signature.output_arg.add(name=name, type=tensor.dtype)
        proto.ret[name] = _edge_in_function(tensor)
    nodes = (node for node in function.nodes if node.op != "Placeholder")
    proto.node_def.extend(_node(node, _edge_in_function) for node in nodes)
    return proto


def tensor_proto(array: Any, dtype: DType) -> Any:
    """A TensorProto of an array; its elements as raw bytes, text as a list."""
    array = np.asarray(array)
    shape = protos().tensor_shape.TensorShapeProto(
        dim=[protos().tensor_shape.TensorShapeProto.Dim(size=size) for size in array.shape]
    )
    proto = protos().tensor.TensorProto(dtype=dtype, tensor_shape=shape)
    if dtype == DType.STRING:
        proto.string_val.extend(
            item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1).tolist()
        )
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def set_attribute(attr: Any, kind: str, value: Any) -> None:
    """Write a value, as `Node.attrs` has it, of the kind that the operator's definition says, into an AttrValue."""
    if isinstance(value, Given):
        attr.placeholder = value.attribute
    elif kind.startswith("list("):
        _set_list(attr.list, kind[5:-1], value)
    elif kind == "shape":
        _set_shape(attr.shape, value)
    elif kind == "func":
        attr.func.name = value.title
    elif kind == "tensor":
        attr.tensor.CopyFrom(value)
    else:
        setattr(attr, _FIELDS[kind], value.encode() if kind == "string" else value)


def _set_list(items: Any, kind: str, values: Any) -> None:
    items.SetInParent()
    if kind == "shape":
        for value in values:
            _set_shape(items.shape.add(), value)
    else:
        getattr(items, _FIELDS[kind]).extend(value.encode() if kind == "string" else value for value in values)


def _set_shape(proto: Any, shape: Any) -> None:
    proto.SetInParent()
    if shape is None:
        proto.unknown_rank = True
        return
    for size in shape:
        proto.dim.add(size=-1 if size is None else size)


_FIELDS = {"type": "type", "int": "i", "float": "f", "bool": "b", "string": "s"}

"""The flatbuffer of a TFLite file becomes `Contents`, read and checked in Python.

Native code, TensorFlow's or the interpreter's, takes indices and sizes of a file for granted and crashes over wrong
ones; here each is checked before anything else sees it.  What the reader of flatbuffers raises over bytes that are
none, a `struct.error` as well as an `IndexError`, becomes one line.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.tensorflow_import import import_tensorflow
from onnxpress_frontends.tflite.constants import dequantized, read_grid, read_values
from onnxpress_frontends.tflite.contents import Contents, Graph, Operator, Signature, Tensor

if TYPE_CHECKING:
    from onnxpress.kinds import Array

IDENTIFIER = b"TFL3"
_OUTSIDE = 1
"""Offset from which the bytes of a buffer stand behind the flatbuffer."""

_DTYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant uint32
    uint16 int4 bfloat16 int2 uint4
"""
"""Names of the values of ``TensorType``, in order."""
_NUMBERS = frozenset(_DTYPES.split()) - {"string", "resource", "variant", "bfloat16", "int2", "uint4"}


def read(path: Path) -> Contents:
    """Read a file; nothing of it is run.

    Raises:
        InvalidModel: It is missing, no TFLite file, or truncated or corrupt.
        UnsupportedModel: It quantises in a way that ONNX has not.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read: {error.strerror}") from error
    if content[4:8] != IDENTIFIER:
        raise InvalidModel(f"{path} is not a TFLite file: it does not begin with {IDENTIFIER.decode()!r}")
    import_tensorflow()
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        return _Reader(schema, content).contents(path.stem)
    except NotImplementedError as error:
        raise UnsupportedModel(f"{path} cannot be converted: {first_line(error)}") from error
    except struct.error as error:
        raise InvalidModel(f"{path} is truncated or corrupt: an offset points outside of it") from error
    except Exception as error:  # the reader of flatbuffers raises anything over bytes that are none
        raise InvalidModel(f"{path} is truncated or corrupt: {first_line(error)}") from error


class _Reader:
    def __init__(self, schema: Any, content: bytes) -> None:
        self._codes = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
        self._content = content
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        self._buffers = [self._bytes(buffer) for buffer in self._model.buffers or ()]
        self._operator_codes = [self._code(code) for code in self._model.operatorCodes or ()]

    def contents(self, title: str) -> Contents:
        graphs = tuple(self._graph(graph) for graph in self._model.subgraphs or ())
        if not graphs:
            raise ValueError("it holds no graph")
        signatures = tuple(_signature(signature, graphs) for signature in self._model.signatureDefs or ())
        return Contents(title=title, graphs=graphs, signatures=signatures)

    def _bytes(self, buffer: Any) -> Array:
        """The bytes of a buffer; in files beyond 2 GB they stand behind the flatbuffer."""
        if buffer.offset > _OUTSIDE:
            if buffer.offset + buffer.size > len(self._content):
                raise ValueError(f"a buffer ends at byte {buffer.offset + buffer.size} of {len(self._content)}")
            return np.frombuffer(self._content, np.uint8, buffer.size, buffer.offset)
        return np.asarray(() if buffer.data is None else buffer.data, np.uint8)

    def _code(self, code: Any) -> str:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = self._codes.get(number, f"operator {number}")
        return _text(code.customCode) or name if name == "CUSTOM" else name

    def _graph(self, graph: Any) -> Graph:
        tensors = tuple(self._tensor(tensor) for tensor in graph.tensors or ())
        return Graph(
            tensors=tensors,
            operators=tuple(self._operator(each, len(tensors)) for each in graph.operators or ()),
            inputs=_indices(graph.inputs, len(tensors)),
            outputs=_indices(graph.outputs, len(tensors)),
        )

    def _operator(self, each: Any, count: int) -> Operator:
        code = self._operator_codes[_inside(each.opcodeIndex, len(self._operator_codes), "operator code")]
        options = each.builtinOptions if each.builtinOptions is not None else each.builtinOptions2
        outputs = _indices(each.outputs, count)
        return Operator(code=code, inputs=_indices(each.inputs, count, least=-1), outputs=outputs, options=options)

    def _tensor(self, given: Any) -> Tensor:
        name, dtype = _text(given.name), _dtype(given.type)
        content = self._buffers[_inside(given.buffer, len(self._buffers), "buffer")]
        sizes = _sizes(given.shape)
        signature = sizes if given.shapeSignature is None else _sizes(given.shapeSignature, least=-1)
        shape = tuple(None if size < 0 else size for size in signature)
        if len(sizes) != len(signature):
            raise ValueError(f"tensor {name!r} has {len(sizes)} dimensions, and {len(signature)} in its signature")
        held = "int8" if dtype == "int4" else dtype
        try:
            grid = read_grid(given, held, shape, constant=content.size > 0)
            data = read_values(given, content, dtype, sizes) if content.size and dtype in _NUMBERS else None
        except (ValueError, NotImplementedError) as error:
            raise type(error)(f"tensor {name!r}: {error}") from error
        if dtype == "int64" and grid is not None and data is not None:
            return Tensor(name=name, dtype="float32", shape=shape, data=dequantized(data, grid))
        return Tensor(name=name, dtype=held, shape=shape, data=data, grid=grid)


def _signature(given: Any, graphs: Sequence[Graph]) -> Signature:
    key, index = _text(given.signatureKey), _inside(given.subgraphIndex, len(graphs), "graph of a signature")
    count = len(graphs[index].tensors)
    inputs, outputs = (
        [(_inside(end.tensorIndex, count, "tensor of a signature"), _text(end.name)) for end in ends or ()]
        for ends in (given.inputs, given.outputs)
    )
    return Signature(key=key, graph=index, inputs=dict(inputs), outputs=tuple(outputs))


def _dtype(number: int) -> str:
    names = _DTYPES.split()
    return names[_inside(number, len(names), "type")]


def _text(given: bytes | str | None) -> str:
    return given.decode(errors="replace") if isinstance(given, bytes) else given or ""


def _sizes(given: Iterable[int] | None, *, least: int = 0) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in (() if given is None else given))
    if any(size < least for size in sizes):
        raise ValueError(f"a tensor has the shape {list(sizes)}")
    return sizes


def _indices(given: Iterable[int] | None, count: int, *, least: int = 0) -> tuple[int, ...]:
    return tuple(_inside(int(index), count, "tensor", least=least) for index in (() if given is None else given))


def _inside(index: int, count: int, what: str, *, least: int = 0) -> int:
    if not least <= index < count:
        raise ValueError(f"it names {what} {index} of {count}")
    return int(index)

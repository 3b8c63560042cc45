"""What TensorFlow calls the layers of a converted graph, for files that speak of layers by that name.

tf2onnx calls a convolution after the BiasAdd that it merges into it, and TensorFlow's optimiser after the Mul (of a
BatchNorm) that it merges into the weights.  TensorFlow itself adds a number to a node on import when its name is also
the scope of others (``conv`` becomes ``conv_1`` beside ``conv/kernel``), and `io_names` shortens every name.  AMCT's
record files are written for the graph before all that: there a layer is called after its Conv2D, MatMul and so on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

import onnx_ir as ir

from onnxpress.kinds import SOURCE_NAME_KEY
from onnxpress_frontends.opening.named_function import NamedFunction

_COUNTER = re.compile(r"__\d+$")
_NUMBER = re.compile(r"_\d+$")
_PRODUCT = re.compile("Conv|Einsum|MatMul")
_TAKEN_IN = ("Add", "AddV2", "BiasAdd", "Identity", "Mul")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_LAYERS = (*_WEIGHTED, "Add", "AveragePool", "MaxPool")


def remember(model: ir.Model, source: NamedFunction) -> None:
    """Put the name of its TensorFlow operation into the `meta` of every layer, under `SOURCE_NAME_KEY`.

    Args:
        model: A graph as tf2onnx names it.
        source: What it was converted from.
    """
    operations = {operation.name: operation for operation in source.function.graph.get_operations()}
    scopes = {str(scope) for name in operations for scope in PurePosixPath(name).parents}
    for node in model.graph.all_nodes():
        operation = operations.get(_COUNTER.sub("", node.name or ""))
        if operation is not None and node.op_type in _LAYERS:
            name = _layer(operation, node.op_type).name
            node.meta[SOURCE_NAME_KEY] = _before_import(name, operations, scopes)


def _layer(operation: Any, op_type: str) -> Any:
    """`operation`, or the product whose result it scales or shifts where both became one node."""
    return next(_products(operation), operation) if op_type in _WEIGHTED else operation


def _products(operation: Any) -> Iterator[Any]:
    if operation.type in _TAKEN_IN:
        for value in operation.inputs:
            yield from _products(value.op)
    elif _PRODUCT.search(operation.type):
        yield operation


def _before_import(name: str, taken: Collection[str], scopes: Collection[str]) -> str:
    stem = _NUMBER.sub("", name)
    return stem if stem in scopes and stem not in taken else name

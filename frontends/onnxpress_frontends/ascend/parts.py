"""New initialisers and nodes of a model, under names that nothing in it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import onnx_ir as ir

from onnxpress.ascend.constant_weights import named
from onnxpress.naming import Names


class Parts:
    """Makes them for one model."""

    def __init__(self, model: ir.Model) -> None:
        self._names = Names(model)

    def initializer(self, graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        """A new initialiser of `graph`."""
        own = named(tensor, self._names.fresh(name))
        shape = ir.Shape(cast(Any, own.shape))
        value = ir.Value(name=own.name, type=ir.TensorType(own.dtype), shape=shape, const_value=own)
        graph.register_initializer(value)
        return value

    def node(self, op: str, name: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Node:
        """A new node, in no graph yet, called like what it gives."""
        node = ir.node(op, inputs, attributes, name=self._names.fresh(name))
        node.outputs[0].name = node.name
        return node

"""Names that no value and no node of a model has, and what is made under them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, cast

import onnx_ir as ir


class Names:
    """The names of one model."""

    def __init__(self, model: ir.Model) -> None:
        self._taken = {value.name for value in model.graph.inputs}
        for graph in model.graphs():
            self._taken |= set(graph.initializers)
            for node in graph:
                self._taken |= {node.name, *(value.name for value in node.outputs)}

    def fresh(self, name: str) -> str:
        """`name`, with a number behind it where it is taken."""
        candidate, number = name, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        return candidate

    def initializer(self, graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        """A new initialiser of `graph`."""
        value = ir.Value(
            name=self.fresh(name), type=ir.TensorType(tensor.dtype), shape=ir.Shape(cast(Any, tensor.shape))
        )
        value.const_value = copy(tensor)  # another model may hold it under its old name
        value.const_value.name = value.name
        graph.register_initializer(value)
        return value

    def node(self, op: str, name: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Node:
        """A new node, in no graph yet, called like what it gives."""
        node = ir.node(op, inputs, attributes, name=self.fresh(name))
        node.outputs[0].name = node.name
        return node

"""A node that ONNX does not have is spelled out in nodes that it has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses

if TYPE_CHECKING:
    from onnxpress.kinds import Array


class Substitute:
    """Nodes being written in front of `node`, which will take its place.

    Names derive from the node's; that two nodes share one is for `io_names` to settle.
    """

    def __init__(self, node: ir.Node) -> None:
        assert node.graph is not None
        self._node = node
        self._graph = node.graph

    def constant(self, numbers: Array | np.generic) -> ir.Value:
        """A new initialiser."""
        name = next(name for name in self._wishes() if name not in self._graph.initializers)
        tensor = ir.tensor(np.asarray(numbers), name=name)
        value = ir.Value(
            name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(numbers.shape), const_value=tensor
        )
        self._graph.register_initializer(value)
        return value

    def _wishes(self) -> Iterator[str]:
        yield from (f"{self._node.name}/constant_{number}" for number in count(1))

    def call(self, op: str, *inputs: ir.Value | Array | np.generic, **attributes: Any) -> ir.Value:
        """The output of a new node; arrays become initialisers, and attributes that are None are left out."""
        operands = [value if isinstance(value, ir.Value) else self.constant(value) for value in inputs]
        given = {name: value for name, value in attributes.items() if value is not None}
        node = ir.node(op, operands, given, name=f"{self._node.name}/{op}")
        node.outputs[0].name = node.name
        self._graph.insert_before(self._node, node)
        return node.outputs[0]

    def take_place(self, result: ir.Value) -> None:
        """Let `result` be what the node gave, and drop the node."""
        replace_uses(self._node.outputs[0], result)
        self._graph.remove(self._node, safe=True)

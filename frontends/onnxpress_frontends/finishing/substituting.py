"""A node that ONNX does not have is spelled out in nodes that it has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.rewiring import replace_uses

if TYPE_CHECKING:
    from onnxpress.kinds import Array


class Substitute:
    """Nodes being written in front of `node`, which will take its place.

    Names derive from the node's: ``<node>/<operator>`` and ``<node>/constant``, with a number from the second on.
    """

    def __init__(self, node: ir.Node) -> None:
        assert node.graph is not None
        self._node = node
        self._graph = node.graph
        self._written: Counter[str] = Counter()

    def constant(self, numbers: Array | np.generic) -> ir.Value:
        """A new initialiser."""
        tensor = ir.tensor(np.asarray(numbers), name=self._fresh("constant"))
        value = ir.Value(
            name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(numbers.shape), const_value=tensor
        )
        self._graph.register_initializer(value)
        return value

    def call(self, op: str, *inputs: ir.Value | Array | np.generic, **attributes: Any) -> ir.Value:
        """The output of a new node; arrays become initialisers, and attributes that are None are left out."""
        operands = [value if isinstance(value, ir.Value) else self.constant(value) for value in inputs]
        given = {name: value for name, value in attributes.items() if value is not None}
        node = ir.node(op, operands, given, name=self._fresh(op))
        node.outputs[0].name = node.name
        self._graph.insert_before(self._node, node)
        return node.outputs[0]

    def take_place(self, result: ir.Value) -> None:
        """Let `result` be what the node gave, and drop the node."""
        replace_uses(self._node.outputs[0], result)
        self._graph.remove(self._node, safe=True)

    def _fresh(self, role: str) -> str:
        self._written[role] += 1
        number = self._written[role]
        return f"{self._node.name}/{role}" + (f"_{number}" if number > 1 else "")

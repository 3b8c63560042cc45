"""A value of the graph around, seen from inside a function.

Whatever layout or arrangement of it a function asks for is made outside, once, and captured: a loop does not transpose
in every step what does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxpress_backends.tensorflow.graphs.functions import Function
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement
from onnxpress_backends.tensorflow.layout.layouts import Layout
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.loops.sequences import Items


@dataclass(eq=False, kw_only=True)
class Captured(Value):
    """A value that a function captures when it is used.

    Attributes:
        outer: The value itself.
    """

    outer: Value

    @property
    def laid(self) -> Laid:
        """The form it was computed in."""
        tensor, layout = self.outer.laid
        return Laid(self._brought(tensor, layout), layout)

    def tensor(self, layout: Layout | None = None) -> Tensor:
        """The value in a layout; None: as ONNX has it."""
        return self._brought(self.outer.tensor(layout), layout)

    def weight(self, arrangement: Arrangement) -> Tensor:
        """The value arranged as an operator wants its weights."""
        return self._function.capture(self.outer.weight(arrangement), arrangement.shape)

    def _brought(self, tensor: Tensor, layout: Layout | None) -> Tensor:
        shape = self.shape if self.shape is None or layout is None else layout.arrange(self.shape)
        return self._function.capture(tensor, shape)

    @property
    def _function(self) -> Function:
        assert isinstance(self.graph, Function)
        return self.graph


def captured(outer: Value, graph: Graph) -> Value:
    """`outer` as the function `graph` sees it; a sequence by its elements."""
    if isinstance(outer, Items):
        items = tuple(captured(item, graph) for item in outer.items)
        return Items(graph=graph, name=outer.name, dtype=outer.dtype, shape=None, items=items)
    return Captured(graph=graph, name=outer.name, dtype=outer.dtype, shape=outer.shape, outer=outer)

"""The nodes themselves: a pair around a computed tensor, a DequantizeLinear behind a stored one.

Names derive from the tensor's: ``<tensor>_scale``, ``<tensor>_zero_point``, ``<tensor>_QuantizeLinear``,
``<tensor>_DequantizeLinear`` and, for a stored tensor, ``<tensor>_quantized``, made unique by a number where they are
taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import initializer
from onnxpress.naming import Names

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PairWriter:
    """Writes pairs into one graph.

    Args:
        graph: The graph.
        names: Names that are taken.
    """

    def __init__(self, graph: ir.Graph, names: Names) -> None:
        self._graph = graph
        self._names = names

    def constant(self, name: str, numbers: NDArray[Any] | np.generic) -> ir.Value:
        """A new initialiser called `name`, or a variation of it."""
        return initializer(self._graph, self._names.fresh(name), np.asarray(numbers))

    def pair(self, value: ir.Value, scale: ir.Value, zero_point: ir.Value) -> ir.Value:
        """Put a pair behind `value`; nobody reads it yet.

        Returns:
            The dequantised value.
        """
        quantise = self._node("QuantizeLinear", value, [value, scale, zero_point])
        dequantise = self._node("DequantizeLinear", value, [quantise.outputs[0], scale, zero_point])
        producer = value.producer()
        if producer is None:
            self._graph.insert_before(self._graph[0], [quantise, dequantise])
        else:
            self._graph.insert_after(producer, [quantise, dequantise])
        quantise.outputs[0].type, quantise.outputs[0].shape = zero_point.type, value.shape
        dequantise.outputs[0].type, dequantise.outputs[0].shape = value.type, value.shape
        return dequantise.outputs[0]

    def guard(self, value: ir.Value) -> ir.Value:
        """An identity of `value` that no optimiser sees through: a Sum of one."""
        node = self._node("Sum", value, [value])
        producer = value.producer()
        assert producer is not None
        self._graph.insert_after(producer, node)
        node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
        return node.outputs[0]

    def stored(
        self,
        value: ir.Value,
        integers: NDArray[Any],
        scale: NDArray[Any] | np.generic,
        zero_point: NDArray[Any] | np.generic | None,
        *,
        axis: int | None,
        before: ir.Node,
    ) -> ir.Value:
        """Store `value` as `integers` and put a DequantizeLinear in front of `before`.

        Returns:
            The dequantised value.
        """
        inputs = [self.constant(f"{value.name}_quantized", integers), self.constant(f"{value.name}_scale", scale)]
        if zero_point is not None:
            inputs.append(self.constant(f"{value.name}_zero_point", zero_point))
        attributes = [] if axis is None else [ir.AttrInt64("axis", axis)]
        dequantise = self._node("DequantizeLinear", value, inputs, attributes)
        self._graph.insert_before(before, dequantise)
        dequantise.outputs[0].dtype, dequantise.outputs[0].shape = ir.DataType.FLOAT, ir.Shape(integers.shape)
        return dequantise.outputs[0]

    def replace_output(self, value: ir.Value, replacement: ir.Value) -> None:
        """Let the graph give `replacement` instead of `value`, under the name the user knows."""
        if not value.is_graph_output():
            return
        value.name, replacement.name = self._names.fresh(f"{value.name}_float"), value.name
        for index, output in enumerate(self._graph.outputs):
            if output is value:
                self._graph.outputs[index] = replacement

    def _node(
        self, op: str, value: ir.Value, inputs: Iterable[ir.Value], attributes: Iterable[ir.Attr] = ()
    ) -> ir.Node:
        name = self._names.fresh(f"{value.name}_{op}")
        return ir.Node("", op, list(inputs), list(attributes), name=name, outputs=[ir.Value(name=name)])

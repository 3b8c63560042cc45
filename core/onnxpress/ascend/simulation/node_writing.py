"""Writing nodes of standard operators into a graph, before a node that they are to replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.naming import Names

Operand = ir.Value | np.ndarray[Any, Any] | np.generic


class NodeWriter:
    """Writes nodes before another one; arrays among their operands become initialisers.

    Attributes:
        names: Those that are taken.
        written: All nodes that were written.
    """

    def __init__(self, model: ir.Model) -> None:
        self.written: list[ir.Node] = []
        self._insert: Callable[[ir.Node], None] = model.graph.append
        self._stem: str | None = None
        self._root = model.graph
        self._scalars: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self.names = Names(model)

    def move(self, place: ir.Node, stem: str | None = None) -> None:
        """Write before `place` from now on, names beginning with `stem`, which is else that of `place`."""
        self._stem, graph = stem or place.name, _graph(place)
        self._insert = lambda node: graph.insert_before(place, node)

    def move_behind(self, place: ir.Node, stem: str | None = None) -> None:
        """Write behind `place` from now on."""
        self._stem, graph, behind = stem or place.name, _graph(place), [place]

        def insert(node: ir.Node) -> None:
            graph.insert_after(behind[-1], node)
            behind.append(node)

        self._insert = insert

    def op(
        self, op_type: str, *operands: Operand | None, dtype: ir.DataType | None = None, **attributes: Any
    ) -> ir.Value:
        """One node.

        Args:
            op_type: Its operator, of the default domain.
            *operands: Its inputs.
            dtype: Type of its output; None: that of its first input.
            **attributes: Its attributes.
        """
        inputs = [
            operand if operand is None or isinstance(operand, ir.Value) else self.constant(operand)
            for operand in operands
        ]
        name = self.names.fresh(f"{self._stem}.{op_type.lower()}")
        node = ir.node(op_type, inputs, attributes, name=name)
        output = node.outputs[0]
        output.name, output.type = name, ir.TensorType(dtype) if dtype else _type(inputs[0])
        self._insert(node)
        self.written.append(node)
        return output

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """`value` in another type, itself where it has that type."""
        return value if value.dtype == dtype else self.op("Cast", value, dtype=dtype, to=dtype.value)

    def half(self, value: ir.Value) -> ir.Value:
        """`value` rounded to float16, in float32."""
        return self.cast(self.cast(value, ir.DataType.FLOAT16), ir.DataType.FLOAT)

    def constant(self, array: np.ndarray[Any, Any] | np.generic) -> ir.Value:
        """An initialiser of the main graph; equal scalars are one."""
        array = np.asarray(array)
        key = (array.dtype.name, array.shape, array.tobytes() if array.size == 1 else b"")
        if array.size == 1 and key in self._scalars:
            return self._scalars[key]
        tensor = ir.tensor(array, name=self.names.fresh("simulation.constant"))
        kind = ir.TensorType(tensor.dtype)
        value = ir.Value(name=tensor.name, const_value=tensor, shape=ir.Shape(array.shape), type=kind)
        self._root.initializers.add(value)
        self._scalars[key] = value
        return value


def supersede(old: ir.Value, new: ir.Value) -> None:
    """Let every user of `old` use `new`, which takes over its name, as an output of a graph too."""
    name, old.name = old.name, None
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    new.name = name
    if new.shape is None:
        new.shape = old.shape


def attributes(node: ir.Node) -> dict[str, Any]:
    """The attributes of a node, as `NodeWriter.op` takes them."""
    return {name: attribute.value for name, attribute in node.attributes.items()}


def _graph(node: ir.Node) -> ir.Graph:
    assert isinstance(node.graph, ir.Graph)
    return node.graph


def _type(value: ir.Value | None) -> ir.TensorType:
    assert value is not None and value.dtype is not None
    return ir.TensorType(value.dtype)

"""Weights and biases of a deploy model as stored integers with a DequantizeLinear, a scale for each output channel.

Names derive from the constant's: ``<constant>_quantized``, ``<constant>_scale``, ``<constant>_zero_point`` and
``<constant>_DequantizeLinear``.  A grouped ConvTranspose numbers its output channels along two axes of its weight;
there the integers stand with the channels in front, and Reshape and Transpose bring them where they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.layers import Layer
from onnxpress.ascend.prototypes import CUBES
from onnxpress_frontends.ascend.parts import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IntegerConstants:
    """Writes them; layers of one graph that share a constant and its scales share what is written."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stored: dict[tuple[Any, ...], ir.Value] = {}
        self._written: dict[tuple[Any, ...], ir.Value] = {}

    def weight(self, layer: Layer, scales: NDArray[np.float32]) -> ir.Value:
        """The float weight of a layer.

        Args:
            layer: The layer; it has a weight.
            scales: Shape ``(1,)`` or ``(output channels,)``.
        """
        value, rule = layer.weight, CUBES[layer.cube.op_type]
        assert value is not None and value.shape is not None and rule.output_axis is not None
        groups = layer.cube.attributes.get_int("group", 1) if layer.cube.op_type == "ConvTranspose" else 1
        if groups > 1 and scales.size > 1:
            return self._grouped(layer.cube, value, scales, groups)
        axis = 1 - rule.output_axis if layer.cube.attributes.get_int("transB", 0) else rule.output_axis
        return self._dequantized(layer.cube, value, scales, axis % len(value.shape))

    def bias(self, layer: Layer, scales: NDArray[np.float32]) -> ir.Value:
        """The float bias of a layer that has one; `scales` are those of its accumulator."""
        value = layer.bias
        assert value is not None and value.shape is not None
        return self._dequantized(layer.cube, value, scales, len(value.shape) - 1)

    def _dequantized(self, before: ir.Node, value: ir.Value, scales: NDArray[np.float32], axis: int) -> ir.Value:
        graph, name = before.graph, value.name
        assert isinstance(graph, ir.Graph) and value.const_value is not None and name is not None
        key = (graph, value, scales.tobytes(), axis)
        if key in self._written:
            return self._written[key]
        if (graph, value) not in self._stored:
            self._stored[graph, value] = self._parts.initializer(graph, f"{name}_quantized", value.const_value)
        scale = scales.reshape(()) if scales.size == 1 else scales
        inputs = [self._stored[graph, value], self._parts.initializer(graph, f"{name}_scale", ir.tensor(scale))]
        if value.const_value.dtype == ir.DataType.INT8:
            zero_point = ir.tensor(np.zeros(scale.shape, np.int8))
            inputs.append(self._parts.initializer(graph, f"{name}_zero_point", zero_point))
        attributes = {} if scales.size == 1 else {"axis": axis}
        node = self._parts.node("DequantizeLinear", f"{name}_DequantizeLinear", inputs, **attributes)
        node.outputs[0].type, node.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), value.shape
        graph.insert_before(before, node)
        self._written[key] = node.outputs[0]
        return node.outputs[0]

    def _grouped(self, before: ir.Node, value: ir.Value, scales: NDArray[np.float32], groups: int) -> ir.Value:
        """``[g * in, out, ...]`` as integers ``[g * out, in, ...]`` that are dequantised and turned back."""
        assert value.const_value is not None and isinstance(before.graph, ir.Graph)
        numbers = value.const_value.numpy()
        inputs, outputs, kernel = numbers.shape[0] // groups, numbers.shape[1], numbers.shape[2:]
        order = [0, 2, 1, *range(3, numbers.ndim + 1)]
        turned = numbers.reshape(groups, inputs, outputs, *kernel).transpose(order)
        shape = (groups * outputs, inputs, *kernel)
        tensor = ir.tensor(np.ascontiguousarray(turned).reshape(shape))
        channels_first = ir.Value(name=value.name, shape=ir.Shape(shape), const_value=tensor)
        result = self._dequantized(before, channels_first, scales, 0)
        for op, argument in (("Reshape", turned.shape), ("Transpose", order), ("Reshape", numbers.shape)):
            operands, attributes = [result], {"perm": argument} if op == "Transpose" else {}
            if op == "Reshape":
                sizes = ir.tensor(np.array(argument, np.int64))
                operands.append(self._parts.initializer(before.graph, f"{value.name}_sizes", sizes))
            node = self._parts.node(op, f"{value.name}_{op}", operands, **attributes)
            before.graph.insert_before(before, node)
            result = node.outputs[0]
        return result

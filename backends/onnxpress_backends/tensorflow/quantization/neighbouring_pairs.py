"""QuantizeLinear and DequantizeLinear made neighbours, where what stands between them only rearranges.

    DequantizeLinear(Transpose(QuantizeLinear(x))) = Transpose(DequantizeLinear(QuantizeLinear(x)))

for a single scale, and for everything that moves elements and changes none.  Converters put a Transpose there, since
integers are cheaper to move; only a pair can be simulated, and there are no Transposes here anyway.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

_REARRANGING = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Of their first input."""


def join_pairs(model: ir.Model) -> None:
    """Move every DequantizeLinear up to the QuantizeLinear that made its integers; changes `model`."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "DequantizeLinear" and _is_scalar(node):
            between = _between(node)
            if between:
                _move_up(node, between)


def _is_scalar(node: ir.Node) -> bool:
    scale = None if node.inputs[1] is None else ir.convenience.get_const_tensor(node.inputs[1])
    return scale is not None and scale.size == 1 and not node.attributes.get_int("block_size", 0)


def _between(dequantize: ir.Node) -> list[ir.Node]:
    """What stands between a pair, in order; nothing when it is no pair, or others see what stands there."""
    found: list[ir.Node] = []
    value = dequantize.inputs[0]
    while value is not None and (node := value.producer()) is not None and node.graph is dequantize.graph:
        if node.op_type == "QuantizeLinear":
            return found if _same_grid(node, dequantize) else []
        if node.op_type not in _REARRANGING or value.is_graph_output() or len(value.uses()) > 1:
            break
        found.insert(0, node)
        value = node.inputs[0]
    return []


def _same_grid(quantize: ir.Node, dequantize: ir.Node) -> bool:
    pairs = zip((*quantize.inputs, None)[1:3], (*dequantize.inputs, None)[1:3], strict=True)
    return all(_same(one, other) for one, other in pairs)


def _same(one: ir.Value | None, other: ir.Value | None) -> bool:
    if one is other or one is None or other is None:
        return one is other
    first, second = ir.convenience.get_const_tensor(one), ir.convenience.get_const_tensor(other)
    return first is not None and second is not None and bool(np.array_equal(first.numpy(), second.numpy()))


def _move_up(dequantize: ir.Node, between: list[ir.Node]) -> None:
    numbers, arranged, integers = dequantize.outputs[0], between[-1].outputs[0], between[0].inputs[0]
    assert integers is not None and dequantize.graph is not None
    numbers.replace_all_uses_with(arranged, replace_graph_outputs=True)
    names = numbers.name, arranged.name
    numbers.name = None
    arranged.name, numbers.name = names
    arranged.shape, numbers.shape = numbers.shape, integers.shape
    for node in between:
        node.outputs[0].type = numbers.type
    dequantize.replace_input_with(0, integers)
    between[0].replace_input_with(0, numbers)
    graph = dequantize.graph
    graph.remove(dequantize)
    graph.insert_before(between[0], dequantize)

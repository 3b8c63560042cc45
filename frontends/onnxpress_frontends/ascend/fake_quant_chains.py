"""The chain of ONNX operators by which AMCT quantises in floats.

x -> Mul(1 / scale_d) -> Round -> Add(offset) -> Clip(-128, 127) -> Sub(offset)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.layers import is_op

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LINKS = ("Sub", "Clip", "Add", "Round", "Mul")
"""From the end of a chain to its beginning."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A quantisation to integers that are off by the offset.

    Attributes:
        nodes: From Sub, which gives the integers, to Mul, which takes the data.
        data: What is quantised.
        scale: The reciprocal of the step.
        offset: The integer that stands for zero.
    """

    nodes: tuple[ir.Node, ...]
    data: ir.Value
    scale: np.float32
    offset: np.float32

    @property
    def end(self) -> ir.Node:
        """The node that gives the integers."""
        return self.nodes[0]


def chain_ending(end: ir.Node) -> Chain | None:
    """The chain that ends with `end`, None when there is none."""
    nodes: list[ir.Node] = []
    node: ir.Node | None = end
    data: ir.Value | None = None
    for op in _LINKS:
        if node is None or not is_op(node, op) or (nodes and not _has_one_user(node)):
            return None
        nodes.append(node)
        computed = [value for value in node.inputs if number_constant(value) is None]
        if len(computed) != 1 or (data := computed[0]) is None:
            return None
        node = data.producer()
    sub, clip, add, _, mul = nodes
    limits = [number_constant(value) for value in clip.inputs[1:]]
    if [None if limit is None else limit.reshape(-1).tolist() for limit in limits] != [[-128], [127]]:
        return None
    offset, scale = operand(add), operand(mul)
    if offset is None or scale is None or offset != operand(sub) or number_constant(sub.inputs[1]) is None:
        return None
    assert data is not None
    return Chain(nodes=tuple(nodes), data=data, scale=scale, offset=offset)


def operand(node: ir.Node) -> np.float32 | None:
    """The one number that an operator of two inputs has as a constant."""
    numbers = [found for value in node.inputs if (found := number_constant(value)) is not None]
    return np.float32(numbers[0].reshape(())) if len(numbers) == 1 and numbers[0].size == 1 else None


def number_constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The numbers of an initialiser that nobody can override, or of a Constant; None for what is computed."""
    if value is None or value.is_graph_input():
        return None
    tensor = value.const_value if value.is_initializer() else _constant(value.producer())
    if tensor is None or tensor.dtype == ir.DataType.STRING:
        return None
    numbers: NDArray[Any] = tensor.numpy()
    return numbers if numbers.dtype.kind in "fi" else None


def _constant(node: ir.Node | None) -> ir.TensorProtocol | None:
    if node is None or not is_op(node, "Constant") or "value" not in node.attributes:
        return None
    return node.attributes["value"].as_tensor()


def _has_one_user(node: ir.Node) -> bool:
    return len(node.outputs[0].uses()) == 1 and not node.outputs[0].is_graph_output()

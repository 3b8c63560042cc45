"""The layers of a deploy model: AscendQuant, what carries its integers on, the operator itself, AscendDequant.

    x -> AscendQuant -> [Pad] -> Conv(int8 weight, int32 bias) -> AscendDequant -> y
    x -> AscendQuant -> MatMul(int8 weight) -> [Add(int32 bias)] -> AscendDequant -> y

A reader finds the layers by their operator, whatever stands around it in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import DEQUANT, QUANT, WEIGHT_QUANT, unpack
from onnxpress.ascend.prototypes import CARRIERS, CUBES

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator in integers; of a graph that `checking.check` passed, everything is there.

    Attributes:
        quant: Its AscendQuant, shared with other layers perhaps.
        carriers: What stands between the two, in the order of the data.
        cube: The operator.
        weight: Its int8 weight, in front of AscendWeightQuant where there is one; None for a pooling.
        bias: Its int32 bias.
        add: The node that adds the bias behind a MatMul.
        dequant: Its AscendDequant.
    """

    quant: ir.Node
    carriers: tuple[ir.Node, ...]
    cube: ir.Node
    weight: ir.Value | None
    bias: ir.Value | None
    add: ir.Node | None
    dequant: ir.Node

    @property
    def scale(self) -> np.float32:
        """AscendQuant.scale, the reciprocal of the step, of which sqrt_mode stores the root."""
        return stored_scale(self.quant)

    @property
    def offset(self) -> int:
        """The integer that stands for zero, in [-128, 127]."""
        return int(self.quant.attributes["offset"].as_float())

    @property
    def deq_scale(self) -> NDArray[np.float32]:
        """The step of the accumulator, shape ``(1,)`` or ``(channels,)``."""
        scale = unpack(array(self.dequant.inputs[1])).reshape(-1)
        return scale * scale if self.dequant.attributes.get_int("sqrt_mode", 0) else scale

    @property
    def input_channels(self) -> int:
        """Channels of the data that the weight is for; those of the data themselves where there is no weight."""
        if self.weight is None:
            data = self.cube.inputs[0]
            assert data is not None and data.shape is not None
            return int(data.shape.numpy()[1])
        assert self.weight.shape is not None
        sizes, groups = self.weight.shape.numpy(), self.cube.attributes.get_int("group", 1)
        if self.cube.op_type == "Conv":
            return int(sizes[1]) * groups
        if self.cube.op_type == "ConvTranspose":
            return int(sizes[0])
        return int(sizes[-1] if self.cube.attributes.get_int("transB", 0) else sizes[-2])

    @property
    def output_channels(self) -> int:
        """Channels of the output; 1 for a pooling, which has one deq_scale."""
        return output_channels(self.cube, self.weight)


def is_op(node: ir.Node | None, *operators: str) -> bool:
    """Whether `node` is one of these operators of the default domain."""
    return node is not None and node.op_type in operators and not node.domain


def layers(model: ir.Model) -> Iterator[Layer]:
    """Every layer in integers of a model that `checking.check` passed, in the order of its operators."""
    for node in model.graph.all_nodes():
        if is_op(node, *CUBES) and node.inputs[0] is not None:
            quant, carriers = origin(node.inputs[0])
            if quant is not None:
                yield _layer(quant, carriers, node)


def _layer(quant: ir.Node, carriers: tuple[ir.Node, ...], cube: ir.Node) -> Layer:
    (end,) = (use.node for use in cube.outputs[0].uses())
    add = end if end.op_type == "Add" else None
    bias = cube.inputs[2] if len(cube.inputs) > 2 else None
    if add is not None:
        bias = next(value for value in add.inputs if value is not cube.outputs[0])
        (end,) = (use.node for use in add.outputs[0].uses())
    assert end.op_type == DEQUANT
    return Layer(quant=quant, carriers=carriers, cube=cube, weight=weight(cube), bias=bias, add=add, dequant=end)


def origin(value: ir.Value) -> tuple[ir.Node | None, tuple[ir.Node, ...]]:
    """The AscendQuant whose integers `value` holds, None if there is none, and what carries them from it."""
    carriers: list[ir.Node] = []
    node = value.producer()
    while node is not None and is_op(node, *CARRIERS) and node.inputs[0] is not None:
        carriers.insert(0, node)
        node = node.inputs[0].producer()
    return (node, tuple(carriers)) if node is not None and node.op_type == QUANT else (None, ())


def weight(cube: ir.Node) -> ir.Value | None:
    """The weight of an operator, in front of AscendWeightQuant where there is one."""
    value = cube.inputs[1] if len(cube.inputs) > 1 else None
    node = value.producer() if value is not None else None
    return node.inputs[0] if node is not None and node.op_type == WEIGHT_QUANT and node.inputs else value


def output_channels(cube: ir.Node, weight: ir.Value | None) -> int:
    """Output channels of an operator with a weight of static shape; 1 without a weight."""
    axis = CUBES[cube.op_type].output_axis
    if axis is None or weight is None or weight.shape is None:
        return 1
    if cube.attributes.get_int("transB", 0):
        axis = 1 - axis
    groups = cube.attributes.get_int("group", 1) if cube.op_type == "ConvTranspose" else 1
    return int(weight.shape.numpy()[axis]) * groups


def stored_scale(node: ir.Node) -> np.float32:
    """The scale of AscendQuant or AscendAntiQuant; sqrt_mode stores its root."""
    scale = np.float32(node.attributes["scale"].as_float())
    return np.float32(scale * scale) if node.attributes.get_int("sqrt_mode", 0) else scale


def array(value: ir.Value | None) -> NDArray[Any]:
    """The numbers of an initialiser."""
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()

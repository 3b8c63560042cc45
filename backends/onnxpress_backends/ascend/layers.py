"""The layers of a quantised graph that Ascend runs in integers, as numbers: found, read, and made to fit.

    x -> QuantizeLinear -> DequantizeLinear -> [Pad] -> Conv | ConvTranspose | Gemm | MatMul | AveragePool

with a weight that is dequantised, and a constant bias: the operator's own, or an Add of one number for each output
channel right behind a MatMul.  An operator that reads integers and could compute in them, but for what it is told to
do, is left float: AscendQuant and AscendAntiQuant round what it reads, as the graph says, and a warning names it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.prototypes import CUBES
from onnxpress_backends.ascend.biases import bias_source, integers, least_scales, read_bias
from onnxpress_backends.ascend.moving import pads_zeros
from onnxpress_backends.ascend.steps import Step, dequantizes, name_of, step, title
from onnxpress_backends.ascend.stored_integers import activation
from onnxpress_backends.ascend.weights import Weight, is_quantized_weight, read_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Bias:
    """A bias on the grid of its layer's accumulator.

    Attributes:
        value: Where the layer reads it.
        source: The constant that it is made from; layers that share it share the numbers, if they come out the same.
        integers: int32, one for each output channel.
    """

    value: ir.Value
    source: ir.Value
    integers: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One operator that runs in integers.

    Attributes:
        name: What records and the nodes around it call it.
        cube: The operator.
        pad: A Pad of zeros between DequantizeLinear and operator, for it alone.
        dequantize: The DequantizeLinear in front.
        step: How its data are quantised.
        weight: Its weight in integers; None for AveragePool.
        bias: Its bias.
        add: The Add that brings the bias of a MatMul.
        raised: Output channels whose scale_w had to be raised.
    """

    name: str
    cube: ir.Node
    pad: ir.Node | None
    dequantize: ir.Node
    step: Step
    weight: Weight | None
    bias: Bias | None
    add: ir.Node | None
    raised: int

    @property
    def deq_scale(self) -> NDArray[np.float32]:
        """The step of the accumulator, shape ``(1,)`` or ``(output channels,)``."""
        return _deq_scale(self.step, self.weight)


def layers(model: ir.Model, warnings: list[str]) -> list[Layer]:
    """Every layer of `model` that can run in integers, in the order of the graph; nothing is changed.

    Args:
        model: The model, all its shapes known.
        warnings: Takes a sentence for whatever the user must know.

    Raises:
        InvalidModel: A scale is not positive and finite.
        UnsupportedModel: A layer is quantised as Ascend cannot say it; the message names it.
    """
    found = []
    for node in model.graph.all_nodes():
        if node.op_type not in CUBES or node.domain:
            continue
        pooling = CUBES[node.op_type].output_axis is None
        dequantize, pad = _data(node)
        if (not pooling and not is_quantized_weight(node.inputs[1])) or (pooling and dequantize is None):
            continue
        reason = _obstacle(node) if dequantize is not None else "its weight is quantised, but its data are not"
        if dequantize is None or reason is not None:
            warnings.append(f"{title(node)} stays float: {reason}")
            continue
        layer = _read(node, dequantize, pad)
        if layer.raised:
            warnings.append(
                f"{title(node)}: the weight scales of {layer.raised} out of {_channels(node)} channels were raised, to "
                "leave room for the bias in 32 bits, or because Ascend knows none so small"
            )
        found.append(layer)
    return found


def _data(node: ir.Node) -> tuple[ir.Node | None, ir.Node | None]:
    """The DequantizeLinear in front of an operator with an integer kernel, and the Pad between them."""
    maker, pad = node.inputs[0].producer() if node.inputs[0] is not None else None, None
    if maker is not None and pads_zeros(maker) and len(maker.outputs[0].uses()) == 1:
        pad, maker = maker, maker.inputs[0].producer() if maker.inputs[0] is not None else None
    reads_integers = maker is not None and dequantizes(maker) and activation(maker) is not None
    return (maker, pad) if reads_integers else (None, None)


def _obstacle(node: ir.Node) -> str | None:
    """Why an operator that reads integers cannot compute in them; None when it can."""
    rule = CUBES[node.op_type]
    for name, takes in rule.attributes.items():
        attribute = node.attributes.get(name)
        if attribute is not None and not takes.takes(attribute):
            return f"its {name} is {attribute.value}, and integers need a {takes}"
    ranked = node.inputs[0] if rule.output_axis is None else node.inputs[1]
    if ranked is None or ranked.shape is None or len(ranked.shape) not in rule.ranks:
        named = "data" if rule.output_axis is None else "weight"
        return f"its {named} must have rank {' or '.join(map(str, rule.ranks))}"
    bias = node.inputs[2] if rule.bias and len(node.inputs) > 2 else None
    if bias is not None and _per_channel(bias, _channels(node)) is None:
        return "its bias is computed, or is not one number for each output channel"
    return None


def _read(node: ir.Node, dequantize: ir.Node, pad: ir.Node | None) -> Layer:
    measured = step(dequantize)
    weight, place, add = _weight(node), _bias(node), _addition(node)
    if add is not None:
        place = next(value for value in add.inputs if value is not node.outputs[0])
    bias, raised = None, 0
    if weight is not None:
        channels = _channels(node)
        numbers = None if place is None else _per_channel(place, channels)
        least = least_scales(numbers, measured.scale, weight.integers.size // channels, channels)
        raised = int((np.broadcast_to(weight.scales, channels) < least).sum())
        if raised:
            weight = weight.raised(least, CUBES[node.op_type].output_axis or 0, _groups(node))
        if numbers is not None and place is not None:
            fitted = integers(numbers, _deq_scale(measured, weight))
            bias = Bias(value=place, source=bias_source(place), integers=fitted)
    return Layer(
        name=name_of(node),
        cube=node,
        pad=pad,
        dequantize=dequantize,
        step=measured,
        weight=weight,
        bias=bias,
        add=add,
        raised=raised,
    )


def _weight(node: ir.Node) -> Weight | None:
    axis = CUBES[node.op_type].output_axis
    if axis is None:
        return None
    turned = bool(node.attributes.get_int("transB", 0))
    weight = read_weight(node, 1 - axis if turned else axis, _groups(node))
    return replace(weight, integers=weight.integers.T) if turned else weight


def _bias(node: ir.Node) -> ir.Value | None:
    return node.inputs[2] if CUBES[node.op_type].bias and len(node.inputs) > 2 else None


def _addition(node: ir.Node) -> ir.Node | None:
    """The Add behind a MatMul that does nothing but bring a bias."""
    result = node.outputs[0]
    users = [use.node for use in result.uses()]
    if node.op_type != "MatMul" or result.is_graph_output() or [user.op_type for user in users] != ["Add"]:
        return None
    (add,) = users
    other = next((value for value in add.inputs if value is not result), None)
    if (
        add.graph is not node.graph
        or other is None
        or other.shape is None
        or len(other.shape) > len(result.shape or ())
    ):
        return None
    return None if _per_channel(other, _channels(node)) is None else add


def _per_channel(value: ir.Value, channels: int) -> NDArray[np.float64] | None:
    """A constant with one number for each output channel, the last axis or the only one; None for anything else."""
    numbers = read_bias(value)
    if numbers is None or numbers.size not in (1, channels) or (numbers.ndim and numbers.shape[-1] != numbers.size):
        return None
    return np.broadcast_to(numbers.reshape(-1), (channels,))


def _channels(node: ir.Node) -> int:
    """Output channels of an operator with a weight."""
    axis, weight = CUBES[node.op_type].output_axis, node.inputs[1]
    assert axis is not None and weight is not None and weight.shape is not None
    axis = 1 - axis if node.attributes.get_int("transB", 0) else axis
    return int(weight.shape.numpy()[axis]) * _groups(node)


def _groups(node: ir.Node) -> int:
    """Groups whose output channels lie on one axis of the weight, one group's over the other's."""
    return node.attributes.get_int("group", 1) if node.op_type == "ConvTranspose" else 1


def _deq_scale(measured: Step, weight: Weight | None) -> NDArray[np.float32]:
    scales = np.ones(1, np.float32) if weight is None else weight.scales
    return np.asarray(measured.scale * scales, dtype=np.float32)

"""Whether a node fits the rule that a target has for its operator, and what stands in the way if not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from onnxpress.constants import array, constant
from onnxpress.kinds import Target
from onnxpress.targets import OpRule
from onnxpress_plugins.folding.stored_weights import stored_weight


@dataclass(frozen=True, eq=False)
class Unit:
    """A node that may become one integer kernel, with what becomes part of that behind it.

    Attributes:
        node: The operator.
        rule: What the target says of it.
        addition: The Add behind it whose constant is its bias.
        activation: The Relu or Clip behind it that saturation replaces.
    """

    node: ir.Node
    rule: OpRule
    addition: ir.Node | None = None
    activation: ir.Node | None = None

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        """All of its nodes, in order."""
        return tuple(node for node in (self.node, self.addition, self.activation) if node is not None)

    @property
    def outputs(self) -> tuple[ir.Value, ...]:
        """The values that are quantised behind it."""
        return tuple(value for value in self.nodes[-1].outputs if value.name)

    def inputs(self) -> Iterator[tuple[int, ir.Value]]:
        """Position and value of every input that is quantised like an activation, constants included."""
        for index, value in enumerate(self.node.inputs):
            role = self.rule.role(index)
            if value is not None and (role == "activation" or (role == "operand" and constant(value) is None)):
                yield index, value

    def computed(self) -> Iterator[ir.Value]:
        """The inputs that are quantised and not constant."""
        return (value for _, value in self.inputs() if constant(value) is None)

    @property
    def weight_index(self) -> int | None:
        """Position of the constant that is quantised as a weight, None when there is none."""
        for index, value in enumerate(self.node.inputs):
            role = self.rule.role(index)
            if value is not None and (role == "weight" or (role == "operand" and constant(value) is not None)):
                return index
        return None

    @property
    def weight(self) -> ir.Value | None:
        """The constant that is quantised as a weight."""
        return None if self.weight_index is None else self.node.inputs[self.weight_index]

    @property
    def bias_place(self) -> tuple[ir.Node, int] | None:
        """The node that adds the bias and the input for it, filled or not; None when there is no place for one."""
        if self.addition is not None:
            return self.addition, next(index for index in (0, 1) if constant(self.addition.inputs[index]) is not None)
        return next(((self.node, index) for index, role in self.rule.inputs.items() if role == "bias"), None)

    @property
    def bias(self) -> ir.Value | None:
        """The bias."""
        node, index = self.bias_place or (self.node, len(self.node.inputs))
        return node.inputs[index] if index < len(node.inputs) else None

    @property
    def groups(self) -> int:
        """Into how many groups its channels fall; axis 0 of the weight runs over all groups, axis 1 over one."""
        return self.node.attributes.get_int("group", 1)

    @property
    def channel_axis(self) -> int:
        """The axis of the weight that indexes output channels."""
        axis, attribute = self.rule.channel_axis or 0, self.rule.transposed_by
        turned = attribute is not None and self.node.attributes.get_int(attribute, 0) == 1
        return 1 - axis if turned else axis

    def channels(self, axis: int) -> int:
        """How many channels there are in all groups along `axis` of the weight, 0 or 1."""
        weight = constant(self.weight)
        assert weight is not None
        size: int = weight.shape.numpy()[axis]
        return size * (self.groups if axis == 1 else 1)


def obstacle(unit: Unit, target: Target) -> str | None:
    """Why `unit` cannot run in integers on `target`, None when it can."""
    for name, allowed in unit.rule.attributes.items():
        attribute = unit.node.attributes.get(name)
        given = None if attribute is None else attribute.value
        if given is not None and not any(_matches(given, pattern) for pattern in allowed):
            return f"its {name} is {given}, and {target.name} has no integer kernel for that"
    for value in unit.computed():
        producer = value.producer()
        if producer is not None and producer.op_type == "DequantizeLinear":
            return f"its input {value.name!r} is quantised already"
        if value.dtype != ir.DataType.FLOAT:
            return f"its input {value.name!r} is {_type(value)}, not float32"
    for value in unit.outputs:
        if value.dtype != ir.DataType.FLOAT:
            return f"its output {value.name!r} is {_type(value)}, not float32"
    if not any(unit.computed()):
        return "all its inputs are constant"
    return _data_obstacle(unit, target) or _constant_obstacle(unit, target)


def vanishing(node: ir.Node, rule: OpRule) -> ir.Node | None:
    """The activation behind `node` that saturation replaces: its only consumer, cutting off at zero."""
    activation, index = _only_consumer(node) or (node, 0)
    if activation is node or activation.op_type not in rule.fused_activations or index != 0:
        return None
    return activation if activation.op_type == "Relu" or clip(activation) is not None else None


def added_bias(node: ir.Node, rule: OpRule) -> ir.Node | None:
    """The Add behind `node` that adds one constant number to each channel, the last axis; None when there is none."""
    addition, index = _only_consumer(node) or (node, 0)
    if not rule.bias_behind or addition.op_type != "Add":
        return None
    weight, bias, shape = constant(node.inputs[1]), constant(addition.inputs[1 - index]), node.outputs[0].shape
    if weight is None or bias is None or (len(bias.shape) > 1 and (shape is None or len(bias.shape) > len(shape))):
        return None
    return addition if len(bias.shape) and bias.shape[-1] == bias.size == weight.shape[-1] else None


def _only_consumer(node: ir.Node) -> tuple[ir.Node, int] | None:
    """Who alone uses what `node` gives, as which input."""
    if len(node.outputs) != 1 or node.outputs[0].is_graph_output():
        return None
    uses = list(node.outputs[0].uses())
    if len(uses) != 1 or uses[0].node.graph is not node.graph or uses[0].node.domain:
        return None
    return uses[0].node, uses[0].idx


def clip(node: ir.Node) -> float | None:
    """The upper limit of a Clip that begins at zero, infinite when it has none; None for any other Clip."""
    limits = [array(value) for value in (*node.inputs[1:3], None, None)]
    if len(node.inputs) < 2 or limits[0] is None or float(limits[0]) != 0:
        return None
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return float("inf")
    return None if limits[1] is None or float(limits[1]) <= 0 else float(limits[1])


def _matches(given: Any, pattern: Any) -> bool:
    """Whether an attribute is as `pattern` says, where None stands for any number in a list."""
    if not isinstance(given, list | tuple):
        return bool(given == pattern)
    return len(given) == len(pattern) and all(want in (None, one) for one, want in zip(given, pattern, strict=True))


def _data_obstacle(unit: Unit, target: Target) -> str | None:
    rule, shapes = unit.rule, (next(unit.computed()).shape, unit.node.outputs[0].shape)
    if rule.input_ranks and shapes[0] is not None and len(shapes[0]) not in rule.input_ranks:
        return f"its input has {len(shapes[0])} dimensions, and {target.name} takes {_choice(rule.input_ranks)}"
    width = shapes[1][-1] if shapes[1] else None
    if isinstance(width, int) and width < rule.least_width:
        return f"{target.name} runs it in floating point where its output is less than {rule.least_width} wide"
    return None


def _constant_obstacle(unit: Unit, target: Target) -> str | None:
    for what, value in (("weight", unit.weight), ("bias", unit.bias)):
        if value is not None and constant(value) is None:
            stored = stored_weight(value) is not None
            return f"its {what} {value.name!r} is {'quantised already' if stored else 'not constant'}"
    constants = [unit.weight, unit.bias, *(value for _, value in unit.inputs())]
    for value in constants:
        tensor = constant(value)
        if value is not None and tensor is not None and tensor.dtype != ir.DataType.FLOAT:
            return f"its constant {value.name!r} is {tensor.dtype.name.lower()}, not float32"
    return _shape_obstacle(unit, target)


def _shape_obstacle(unit: Unit, target: Target) -> str | None:
    weight, bias = constant(unit.weight), constant(unit.bias)
    ranks, least = unit.rule.weight_ranks, unit.rule.least_channels
    if weight is None:
        return None
    if ranks and len(weight.shape) not in ranks:
        return f"its weight has {len(weight.shape)} dimensions, and {target.name} takes {_choice(ranks)}"
    if least and unit.channels(1 - unit.channel_axis) < least:
        return f"{target.name} runs layers of fewer than {least} input channels in floating point"
    channels = unit.channels(unit.channel_axis)
    if bias is not None and (bias.size not in (1, channels) or (bias.size > 1 and bias.shape[-1] != channels)):
        return f"its bias has shape {list(bias.shape)}, not one number for each of {channels} channels"
    return None


def _choice(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))


def _type(value: ir.Value) -> str:
    return "of unknown type" if value.dtype is None else value.dtype.name.lower()

"""Whether a node fits the rule that a target has for its operator, and what stands in the way if not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxpress.kinds import Target
from onnxpress.targets import OpRule
from onnxpress_plugins.constants import array, constant
from onnxpress_plugins.folding.stored_weights import stored_weight


@dataclass(frozen=True, eq=False)
class Unit:
    """A node that may become one integer kernel, with the activation that vanishes behind it.

    Attributes:
        node: The operator.
        rule: What the target says of it.
        activation: The Relu or Clip behind it that saturation replaces.
    """

    node: ir.Node
    rule: OpRule
    activation: ir.Node | None = None

    @property
    def outputs(self) -> tuple[ir.Value, ...]:
        """The values that are quantised behind it."""
        return tuple(value for value in (self.activation or self.node).outputs if value.name)

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
    def bias_index(self) -> int | None:
        """Position of the bias, None when there is none."""
        for index, value in enumerate(self.node.inputs):
            if value is not None and self.rule.role(index) == "bias":
                return index
        return None

    @property
    def bias(self) -> ir.Value | None:
        """The bias."""
        return None if self.bias_index is None else self.node.inputs[self.bias_index]

    @property
    def channel_axis(self) -> int:
        """The axis of the weight that indexes output channels."""
        axis, attribute = self.rule.channel_axis or 0, self.rule.transposed_by
        turned = attribute is not None and self.node.attributes.get_int(attribute, 0) == 1
        return 1 - axis if turned else axis


def obstacle(unit: Unit, target: Target) -> str | None:
    """Why `unit` cannot run in integers on `target`, None when it can."""
    node, rule = unit.node, unit.rule
    for name, allowed in rule.attributes.items():
        attribute = node.attributes.get(name)
        given = None if attribute is None else attribute.value
        if given is not None and (tuple(given) if isinstance(given, list | tuple) else given) not in allowed:
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
    return _constant_obstacle(unit, target)


def vanishing(node: ir.Node, rule: OpRule) -> ir.Node | None:
    """The activation behind `node` that saturation replaces: its only consumer, cutting off at zero."""
    if not rule.fused_activations or len(node.outputs) != 1 or node.outputs[0].is_graph_output():
        return None
    uses = list(node.outputs[0].uses())
    if len(uses) != 1 or uses[0].node.op_type not in rule.fused_activations or uses[0].node.graph is not node.graph:
        return None
    activation = uses[0].node
    if activation.domain or uses[0].idx != 0:
        return None
    return activation if activation.op_type == "Relu" or clip(activation) is not None else None


def clip(node: ir.Node) -> float | None:
    """The upper limit of a Clip that begins at zero, infinite when it has none; None for any other Clip."""
    limits = [array(value) for value in (*node.inputs[1:3], None, None)]
    if len(node.inputs) < 2 or limits[0] is None or float(limits[0]) != 0:
        return None
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return float("inf")
    return None if limits[1] is None or float(limits[1]) <= 0 else float(limits[1])


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
    ranks = unit.rule.weight_ranks
    if weight is None:
        return None
    if ranks and len(weight.shape) not in ranks:
        return f"its weight has {len(weight.shape)} dimensions, and {target.name} takes {' or '.join(map(str, ranks))}"
    channels = weight.shape[unit.channel_axis]
    if bias is not None and (bias.size not in (1, channels) or (bias.size > 1 and bias.shape[-1] != channels)):
        return f"its bias has shape {list(bias.shape)}, not one number for each of {channels} channels"
    return None


def _type(value: ir.Value) -> str:
    return "of unknown type" if value.dtype is None else value.dtype.name.lower()

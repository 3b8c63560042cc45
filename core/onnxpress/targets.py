"""What a piece of hardware or a runtime can quantise, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["activation", "weight", "operand", "bias"]
"""What an input is to its operator.

``activation``: a computed tensor, quantised; a constant in its place is quantised like one.
``weight``: a constant, quantised by the target's weight scheme.
``operand``: a weight when it is constant, an activation when it is computed (the second input of MatMul).
``bias``: a constant int32 whose scale is the product of the scales of activation and weight.
"""

Worth = Literal["always", "between", "through"]
"""When it pays to run an operator in integers.

``always``: it computes so much that quantising its inputs is worth it.
``between``: only where an integer kernel feeds it and another uses what it gives.
``through``: it moves numbers without computing; it goes with its neighbours.
"""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How one tensor is quantised.

    Attributes:
        bits: Width of the integer.
        signed: int rather than uint.
        symmetric: Zero point fixed to the middle (0 when signed).
        per_channel: One scale per channel rather than one per tensor.
        narrow: Leave out the most negative integer, so that the range is symmetric too (-127..127).
        smallest_scale: The least scale there is; the default is the smallest normal float32.
    """

    bits: int = 8
    signed: bool = False
    symmetric: bool = False
    per_channel: bool = False
    narrow: bool = False
    smallest_scale: float = 2.0**-126

    @property
    def dtype(self) -> str:
        """numpy name of the integer, e.g. ``uint8``."""
        return f"{'' if self.signed else 'u'}int{self.bits}"

    @property
    def low(self) -> int:
        """The smallest integer in use."""
        return -(1 << (self.bits - 1)) + self.narrow if self.signed else int(self.narrow)

    @property
    def high(self) -> int:
        """The largest integer in use."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True, kw_only=True)
class OpRule:
    """How one operator is quantised.

    Attributes:
        op_type: Operator of the default domain.
        inputs: Role of each input, by position; the rest are left as they are.  -1: every input.
        output: Whether the output must be quantised for an integer kernel; "optional" operators also give float;
            "never": they give nothing else, so whoever wants integers quantises, and the others get the exact numbers.
        worth: When to quantise it.
        shares_scale: Whether inputs and outputs must have one scale and zero point, or may where it costs nothing.
        fused_activations: Operators that vanish when they stand between this one and its QuantizeLinear, because
            saturation does their work: the integer range must begin at zero and lie inside the clip.
        channel_axis: Axis of the weight that indexes output channels.
        transposed_by: Attribute that, when 1, turns the two axes of the weight around.
        per_channel: Whether the kernel takes a weight scheme's scales per channel; if not, one scale for the weight.
        bias_behind: Whether an Add of one constant number per channel right behind is the kernel's bias.
        least_channels: Fewest input channels that run in integers.
        least_width: Smallest last dimension of the output that runs in integers.
        weight_ranks: Ranks of weight that the integer kernel takes; empty: any.
        input_ranks: Ranks of the first input that the integer kernel takes; empty: any.
        attributes: Values that the integer kernel takes; an absent attribute is fine, and so is any number in the
            place of None in a tuple.
    """

    op_type: str
    inputs: Mapping[int, Role] = field(default_factory=dict)
    output: Literal["always", "optional", "never"] = "always"
    worth: Worth = "always"
    shares_scale: Literal["never", "may", "must"] = "never"
    fused_activations: tuple[str, ...] = ()
    channel_axis: int | None = None
    transposed_by: str | None = None
    per_channel: bool = True
    bias_behind: bool = False
    least_channels: int = 0
    least_width: int = 0
    weight_ranks: tuple[int, ...] = ()
    input_ranks: tuple[int, ...] = ()
    attributes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def role(self, index: int) -> Role | None:
        """The role of input `index`, None when it is left as it is."""
        return self.inputs.get(index, self.inputs.get(-1))

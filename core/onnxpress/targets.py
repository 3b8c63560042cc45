"""What a piece of hardware or a runtime can quantise, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["activation", "weight", "bias", "keep"]
"""What an input is to its operator: quantised on the fly, a quantised constant, an int32 bias, or left as it is."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How one tensor is quantised.

    Attributes:
        bits: Width of the integer.
        signed: int rather than uint.
        symmetric: Zero point fixed to the middle (0 when signed).
        per_channel: One scale per channel rather than one per tensor.
        narrow: Leave out the most negative integer, so that the range is symmetric too (-127..127).
    """

    bits: int = 8
    signed: bool = False
    symmetric: bool = False
    per_channel: bool = False
    narrow: bool = False


@dataclass(frozen=True, kw_only=True)
class OpRule:
    """How one operator is quantised.

    Attributes:
        op_type: Operator of the default domain.
        inputs: Role of each input, by position; missing positions are kept.
        output: Whether the output is quantised.  "optional" operators also run in integer when it is not.
        shares_scale: Input and output must have the same scale and zero point (MaxPool, Reshape, Transpose ...).
        fused_activations: Operators that the runtime fuses behind this one, with the condition as data.
        channel_axis: Axis of the weight that indexes output channels, before attributes such as transB are applied.
    """

    op_type: str
    inputs: Mapping[int, Role] = field(default_factory=dict)
    output: Literal["always", "optional", "never"] = "always"
    shares_scale: bool = False
    fused_activations: tuple[str, ...] = ()
    channel_axis: int | None = None

"""What GE's prototypes and ATC's ONNX plugins demand of an operator, as data.

Sources: ``hicann/ops-nn``, ``quant/ascend_*`` (types, attributes, their defaults and ranges), GE's patterns of a
quantised layer, and AMCT's constraints on layers of ONNX models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, SMALLEST_SCALE, WEIGHT_QUANT

OPSETS = range(8, 23)
"""The opsets of the default domain for which ATC registers its plugins."""

CARRIERS = ("MaxPool", "Pad")
"""Operators that may stand between AscendQuant and what uses its integers, because they move integers unchanged."""

_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16)
_TINY = float(np.finfo(np.float32).tiny)
_HUGE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute and its values.

    Attributes:
        type: FLOAT, INT, STRING or INTS.
        required: Whether it must be there.
        low: The least number.
        high: The greatest number.
        whole: Whether a float must be a whole number.
        words: The only values, instead of a range; of every item where the attribute is a list.
    """

    type: ir.AttributeType
    required: bool = False
    low: float = -_HUGE
    high: float = _HUGE
    whole: bool = False
    words: tuple[Any, ...] = ()

    def takes(self, attribute: ir.Attr) -> bool:
        """Whether `attribute` has the type and a value that is allowed."""
        if attribute.type != self.type:
            return False
        values = attribute.value if self.type == ir.AttributeType.INTS else (attribute.value,)
        if self.words:
            return all(value in self.words for value in values)
        return all(self.low <= value <= self.high and (not self.whole or value == int(value)) for value in values)

    def __str__(self) -> str:
        kind = f"whole {self.type.name}" if self.whole else self.type.name
        if self.words:
            return f"{kind} {' or '.join(map(repr, self.words))}"
        return f"{kind} in [{self.low:.6g}, {self.high:.7g}]"


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """One of GE's own operators.

    Attributes:
        inputs: The types that each input may have.
        attributes: Its attributes by name; others are refused.
    """

    inputs: tuple[tuple[ir.DataType, ...], ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cube:
    """An ONNX operator that runs in integers between AscendQuant and AscendDequant.

    Attributes:
        ranks: Ranks of the weight, or of the data where there is no weight.
        output_axis: Axis of the weight with the output channels, of one group; None: no weight.
        bias: Whether the third input is an int32 bias.
        attributes: Those of which not every value runs in integers.
    """

    ranks: tuple[int, ...]
    output_axis: int | None = None
    bias: bool = True
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def _switch(**options: Any) -> Attribute:
    return Attribute(type=ir.AttributeType.INT, words=(0, 1), **options)


def _number(value: float) -> Attribute:
    return Attribute(type=ir.AttributeType.FLOAT, words=(value,))


_OFFSET = Attribute(type=ir.AttributeType.FLOAT, required=True, low=-128, high=127, whole=True)
_INT8 = Attribute(type=ir.AttributeType.STRING, words=("INT8",))
_ROUNDING = Attribute(type=ir.AttributeType.STRING, words=("Round",))
_RECIPROCAL = Attribute(type=ir.AttributeType.FLOAT, required=True, low=_TINY, high=float(1 / SMALLEST_SCALE))
_STEP = Attribute(type=ir.AttributeType.FLOAT, required=True, low=_TINY)
_NEAR = Attribute(type=ir.AttributeType.INTS, words=(1,))

PROTOTYPES: Mapping[str, Prototype] = {
    QUANT: Prototype(
        inputs=(_FLOATS,),
        attributes={
            "scale": _RECIPROCAL,
            "offset": _OFFSET,
            "dst_type": _INT8,
            "round_mode": _ROUNDING,
            "sqrt_mode": _switch(),
        },
    ),
    DEQUANT: Prototype(
        inputs=((ir.DataType.INT32,), (ir.DataType.UINT64,)),
        attributes={"dtype": _switch(), "sqrt_mode": _switch(), "relu_flag": _switch()},
    ),
    ANTI_QUANT: Prototype(
        inputs=((ir.DataType.INT8,),),
        attributes={"scale": _STEP, "offset": _OFFSET, "dst_type": _INT8, "dtype": _switch(), "sqrt_mode": _switch()},
    ),
    WEIGHT_QUANT: Prototype(inputs=((ir.DataType.INT8,), (ir.DataType.INT8,)), attributes={"dst_type": _INT8}),
}

CUBES: Mapping[str, Cube] = {
    "Conv": Cube(ranks=(3, 4, 5), output_axis=0),
    "ConvTranspose": Cube(ranks=(3, 4), output_axis=1, attributes={"dilations": _NEAR}),
    "Gemm": Cube(
        ranks=(2,),
        output_axis=1,
        attributes={"transA": Attribute(type=ir.AttributeType.INT, words=(0,)), "transB": _switch()}
        | {name: _number(1.0) for name in ("alpha", "beta")},
    ),
    "MatMul": Cube(ranks=(2, 3), output_axis=-1, bias=False),
    "AveragePool": Cube(ranks=(4,), bias=False),
}
"""The same operators as `operators.CUBES`."""

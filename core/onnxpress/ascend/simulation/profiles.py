"""The arithmetics that a deploy model meets, as data.

    rint     q = sat(rint(x * s) + o)                 y = acc * d              AMCT's fake-quant ONNX file
    tf       q = sat(round away(x * s) + o)           y = acc * d              AMCT's operators in TensorFlow
    device   q = sat(rint(h(h(h(x) * h(s)) + h(o))))  y = h(acc * cut(d))      GE on an NPU (not the 950)

with s AscendQuant's scale, o its offset, d AscendDequant's deq_scale, acc the accumulator, sums of integers; ``h``
rounds to float16 and ``cut`` clears the low 13 bits of a float32, which leaves a sign, 8 bits of exponent and 10 of
fraction.  Where nothing is said, an operation rounds to float32.  (AMCT's kernel for TensorFlow multiplies the mean of
a pooling by the area of its window before deq_scale and divides by it after, which can move the last bit; this is not
done here, nor by the functions in the frozen graphs that are written for TensorFlow.)

Sources: AMCT's ``replace_quant_pass`` and ``replace_dequant_pass`` (``hicann/amct``), ``amct_ascend_quant.cc`` and
``amct_ascend_dequant.cc`` (``hicann/tensorflow``), the golden files of ``quant/ascend_quant`` (``hicann/ops-nn``), the
passes ``*_quant_process_fusion_pass.cc`` (``hicann/ge``).  No device was at hand: the last profile is what these say,
of operators by themselves; where GE fuses AscendDequant, Relu and AscendQuant into AscendRequant, the device leaves out
the float16 between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from onnxpress.errors import UnknownName


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How a deploy model is computed.

    Attributes:
        name: What the user types.
        summary: One line of help.
        ties: Where AscendQuant rounds a number that lies half way: to the even neighbour or away from zero.
        half: Whether floating point is float16: AscendQuant computes in it, and every tensor is stored in it.
        deq_scale_mask: The bits of deq_scale that take part.
        rolls_back: Whether layers that GE does not keep in integers run in floating point.
    """

    name: str
    summary: str
    ties: Literal["even", "away"] = "even"
    half: bool = False
    deq_scale_mask: int = 0xFFFFFFFF
    rolls_back: bool = False


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(name="rint", summary="float32, ties to even, as AMCT's fake-quant ONNX file"),
        Profile(
            name="tf",
            summary="float32, ties away from zero, as AMCT's operators in TensorFlow",
            ties="away",
        ),
        Profile(
            name="device",
            summary="float16, 19 bits of deq_scale, few channels rolled back, as on an NPU",
            half=True,
            deq_scale_mask=0xFFFFE000,
            rolls_back=True,
        ),
    )
}


def find_profile(name: str) -> Profile:
    """The profile called `name`.

    Raises:
        UnknownName: There is none.
    """
    if name not in PROFILES:
        raise UnknownName(f"no profile is called {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]

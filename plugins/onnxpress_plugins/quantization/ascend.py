"""The targets ``ascend``, ``ascend-narrow`` and ``ascend-symmetric``: what ATC and GE make int8 on an Ascend NPU.

A layer is AscendQuant, the operator in integers, AscendDequant: its output is floating point for whoever uses it, and
GE fuses AscendDequant, Relu and AscendQuant where the next layer is integer, too.  So nothing is quantised behind a
layer, only before one.  What lies between layers runs in float16.

Weights are symmetric; a convolution has a scale for each output channel, a matrix one for all of it, as in the files
that AMCT writes.  No step is below 2**-23: AscendQuant stores its reciprocal, and takes no more than 2**23.

What GE rolls back to float16, whatever the file says, stays float here: convolutions of up to 16 input channels, which
the target ``ascend-narrow`` quantises all the same, and an AveragePool whose output is one wide, as a global one's is.
(Gemm and MatMul become MatMulV2 and BatchMatMulV2, which GE leaves in integers whatever their size.)
A convolution in three dimensions takes no offset, so that only ``ascend-symmetric``, where no activation has one,
quantises it.

ATC registers its readers by opset, those of Conv, Gemm and the others up to 18 (those of AscendQuant and its like up to
22), that of LayerNormalization for 17 and 18 alone, and none of Gelu; GE finds both in the operators that they are made
of.  Sources: AMCT's lists of layers (documents H(0143) and H(0160), ``capacity_config.csv`` of
``hicann/amct``), GE's ``*_quant_process_fusion_pass.cc`` (``hicann/ge``), ATC's plugins (``hicann/ops-nn``).
"""

from __future__ import annotations

from dataclasses import replace

from onnxpress.ascend.operators import NARROW, SMALLEST_SCALE
from onnxpress.kinds import Target
from onnxpress.targets import OpRule, Role, Scheme

_LAYER: dict[int, Role] = {0: "activation", 1: "weight", 2: "bias"}
_DILATED_IN_A_PLANE = ((None,), (None, None), (1, None, None))
_UNDILATED = ((1,), (1, 1))

_CONV = OpRule(
    op_type="Conv",
    inputs=_LAYER,
    output="never",
    channel_axis=0,
    least_channels=NARROW + 1,
    weight_ranks=(3, 4),
    attributes={"dilations": _DILATED_IN_A_PLANE},
)
_CONV_TRANSPOSE = OpRule(
    op_type="ConvTranspose",
    inputs=_LAYER,
    output="never",
    channel_axis=1,
    least_channels=NARROW + 1,
    weight_ranks=(3, 4),
    attributes={"dilations": _UNDILATED},
)
_GEMM = OpRule(
    op_type="Gemm",
    inputs=_LAYER,
    output="never",
    channel_axis=1,
    transposed_by="transB",
    per_channel=False,
    attributes={"alpha": (1.0,), "beta": (1.0,), "transA": (0,)},
)
_MAT_MUL = OpRule(
    op_type="MatMul",
    inputs={0: "activation", 1: "weight"},
    output="never",
    channel_axis=1,
    per_channel=False,
    bias_behind=True,
    weight_ranks=(2,),
)
_AVERAGE_POOL = OpRule(
    op_type="AveragePool",
    inputs={0: "activation"},
    output="never",
    least_width=2,
    input_ranks=(4,),
    attributes={"dilations": _UNDILATED},
)

ASCEND = Target(
    name="ascend",
    summary="Ascend NPUs: int8 activations with an offset, symmetric int8 weights, int32 biases, float between layers",
    activation=Scheme(bits=8, signed=True, smallest_scale=float(SMALLEST_SCALE)),
    weight=Scheme(
        bits=8, signed=True, symmetric=True, per_channel=True, narrow=True, smallest_scale=float(SMALLEST_SCALE)
    ),
    rules=(_CONV, _CONV_TRANSPOSE, _GEMM, _MAT_MUL, _AVERAGE_POOL),
    avoided=("Gelu", "LayerNormalization"),
    concat_channels=32,
    newest_opset=18,
)

ASCEND_NARROW = replace(
    ASCEND,
    name="ascend-narrow",
    summary="As 'ascend', with convolutions of up to 16 input channels in int8, too, which GE would run in float16",
    rules=tuple(replace(rule, least_channels=0) for rule in ASCEND.rules),
)

ASCEND_SYMMETRIC = replace(
    ASCEND,
    name="ascend-symmetric",
    summary="As 'ascend', without offsets of activations, and with convolutions in three dimensions",
    activation=replace(ASCEND.activation, symmetric=True),
    rules=(replace(_CONV, weight_ranks=(3, 4, 5)), *ASCEND.rules[1:]),
)

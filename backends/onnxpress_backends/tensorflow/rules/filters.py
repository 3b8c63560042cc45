"""Weights of signal processing: the windows of Hann, Hamming and Blackman, and triangular filters on the mel scale.

window[n] = a - b cos(2 pi n / N) + c cos(4 pi n / N)          N: the size, less 1 when symmetric
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.terms import Term, count, given, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor


def window(first: float, second: float, third: float) -> Rule:
    """A window of this many cosines: their factors."""

    def rule(call: Call) -> Tensor:
        size = given(call, 0).to(DType.INT32)
        period = size if call.attribute("periodic", 1) else size - 1
        turns = count(call, size).to(DType.DOUBLE) / period.to(DType.DOUBLE) * (2 * math.pi)
        cosine = Term(call, call.emit("Cos", turns.tensor))
        result = first - cosine * second
        if third:
            result = result + Term(call, call.emit("Cos", (turns * 2).tensor)) * third
        return call.cast(result.tensor, _wanted(call))

    return rule


def _wanted(call: Call) -> DType:
    return of_onnx(ir.DataType(call.attribute("output_datatype", ir.DataType.FLOAT)), "the output")


def mel_weight_matrix(call: Call) -> Tensor:
    """MelWeightMatrix: triangle i rises from edge i to 1 at edge i + 1 and falls to edge i + 2, in whole bins."""
    filters, points, rate = (given(call, index).to(DType.INT32) for index in range(3))
    low, high = (_mel(call, given(call, index).to(DType.DOUBLE)) for index in (3, 4))
    steps = count(call, filters + 2).to(DType.DOUBLE)
    edges = steps * ((high - low) / (filters + 2).to(DType.DOUBLE)) + low
    hertz = Term(call, call.emit("Expm1", (edges * (math.log(10) / 2595)).tensor)) * 700
    bins = (hertz * (points + 1).to(DType.DOUBLE) // rate.to(DType.DOUBLE)).to(DType.INT32)
    left, centre, right = (_part(call, bins, offset, filters).to(DType.DOUBLE) for offset in range(3))
    row = count(call, points // 2 + 1).at(1).to(DType.DOUBLE)
    rising = (row - left) / (centre - left).least(1)
    falling = (right - row) / (right - centre).least(1)
    slope = rising.with_("Minimum", falling).least(0)
    peak = row.equals(centre)
    return call.cast(peak.where(term(call, np.array(1.0), DType.DOUBLE), slope).tensor, _wanted(call))


def _mel(call: Call, hertz: Term) -> Term:
    return Term(call, call.emit("Log1p", (hertz / 700).tensor)) * (2595 / math.log(10))


def _part(call: Call, bins: Term, offset: int, size: Term) -> Term:
    """A part of a vector, of `size` elements."""
    return Term(call, call.emit("Slice", bins.tensor, call.const([offset], DType.INT32), size.at(0).tensor))


RULES: Mapping[str, Rule] = {
    "BlackmanWindow": window(0.42, 0.5, 0.08),
    "HammingWindow": window(25 / 46, 21 / 46, 0),
    "HannWindow": window(0.5, 0.5, 0),
    "MelWeightMatrix": mel_weight_matrix,
}

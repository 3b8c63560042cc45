"""Parts of tensors kept, blanked or turned around by where they stand: Trilu and ReverseSequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.geometry.positions import sizes_in
from onnxpress_backends.tensorflow.geometry.terms import count, given
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, logical
from onnxpress_backends.tensorflow.layout.values import Laid


def trilu(call: Call) -> Laid:
    """The triangle above or below diagonal k, zero elsewhere."""
    tensor, layout = call.value(0).permuted
    layout = layout or logical(call.rank(0))
    band = _band(call, layout)
    if band is not None:
        bounds = (call.const(bound, DType.INT64) for bound in band)
        return Laid(call.emit("MatrixBandPart", tensor, *bounds), layout)
    mask = _triangle(call, tensor, layout)
    return Laid(call.emit("SelectV2", mask, tensor, call.const(0, tensor.dtype)), layout)


def _band(call: Call, layout: Layout) -> tuple[int, int] | None:
    """How many diagonals below and above the main one stay, -1: all; None: they are no band around it."""
    known = call.constant(1) if call.has(1) else np.array(0)
    rows, columns = call.shape(0)[-2:]
    if known is None or layout.perm[-2:] != (layout.rank - 2, layout.rank - 1):
        return None
    k, upper = int(known.reshape(())), call.attribute("upper", 1)
    if k > 0 if upper else k < 0:
        return None
    size = rows if upper else columns
    if k and (size is None or abs(k) > size):
        return None
    return (-k, -1) if upper else (-1, k)


def _triangle(call: Call, tensor: Tensor, layout: Layout) -> Tensor:
    """Where the triangle is; of size 1 along the axes that do not matter."""
    dims = sizes_in(call, tensor, layout.arrange(call.shape(0)))
    places = layout.axis(-2), layout.axis(-1)
    rows, columns = (
        count(call, dims[place]).at(*(other for other in range(layout.rank) if other != place)) for place in places
    )
    distance = columns - rows
    if call.has(1):
        k = given(call, 1).to(DType.INT64)
        distance = distance - (k if call.rank(1) == 0 else k[0])
    return (distance > -1 if call.attribute("upper", 1) else distance < 1).tensor


def reverse_sequence(call: Call) -> Laid:
    """The first elements along the time axis turned around, as many as each sample of the batch says."""
    tensor, layout = call.value(0).permuted
    time, batch = call.attribute("time_axis", 0), call.attribute("batch_axis", 1)
    if layout is not None:
        time, batch = layout.axis(time), layout.axis(batch)
    return Laid(call.emit("ReverseSequence", tensor, call.tensor(1), seq_dim=time, batch_dim=batch), layout)


RULES: Mapping[str, Rule] = {
    "ReverseSequence": reverse_sequence,
    "Trilu": trilu,
}

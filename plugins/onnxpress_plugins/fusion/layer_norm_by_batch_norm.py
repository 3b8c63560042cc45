"""Find the layer normalisation that tf-keras leaves to BatchNormalization.

tf-keras views the tensor as one image with a row of it for every channel, ``X' = Reshape(X, [1, rows, size, 1])``, and
lets TensorFlow normalise each channel by its own moments, which tf2onnx writes as

    BatchNormalization(X', 1, 0, Squeeze(M), ReduceSumSquare(X' - M) / size),    M = ReduceMean(X', axes = 0, 2, 3)

The Reshape behind it, back to the shape of X, gives ``(X - M) / R`` as in `layer_norm_moments`, over as many last axes
of X as have `size` elements together.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.cleaning.global_pooling import reduced_axes
from onnxpress_plugins.fusion.derivation import derived
from onnxpress_plugins.fusion.fusing import keeps_shape
from onnxpress_plugins.fusion.layer_norm_moments import NORMALISED, ROUNDING, M, Moments, X, averaged_axes

_WITHIN_ROWS = (0, 2, 3)


def row_moments(node: ir.Node) -> Moments | None:
    """The moments by which `node`, a BatchNormalization, normalises the rows of a tensor."""
    if node.op_type != "BatchNormalization" or node.domain or node.attributes.get_int("training_mode"):
        return None
    rows, scale, shift, mean, variance = node.inputs
    view = _maker(rows, "Reshape")
    source = None if view is None else view.inputs[0]
    if rows is None or source is None or not (_is_all(scale, 1) and _is_all(shift, 0)):
        return None
    axes = _last_axes(source, rows)
    users = [use.node for use in node.outputs[0].uses() if use.node.op_type == "Reshape"]
    back = {user.outputs[0]: NORMALISED for user in users if _undoes(user, source)}
    if not axes or not back or not _are_moments(rows, mean, variance):
        return None
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    return Moments(source=source, axes=axes, epsilon=epsilon, given=back, node=node)


def _maker(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """The node that makes `value`, if it is an `op_type`."""
    maker = None if value is None else value.producer()
    return maker if maker is not None and maker.op_type == op_type and not maker.domain else None


def _is_all(value: ir.Value | None, number: float) -> bool:
    """Whether `value` holds `number` everywhere, be it by Expand to a shape that is computed."""
    expand = _maker(value, "Expand")
    numbers = array(value if expand is None else expand.inputs[0])
    return numbers is not None and bool(np.all(numbers == number))


def _last_axes(source: ir.Value, rows: ir.Value) -> tuple[int, ...]:
    """The last axes of `source` that one row holds, none if `rows` is no such view."""
    if source.shape is None or rows.shape is None or len(rows.shape) != 4 or (rows.shape[0], rows.shape[3]) != (1, 1):
        return ()
    rank = len(source.shape)
    for first in reversed(range(rank)):
        if prod(size if isinstance(size, int) else 0 for size in source.shape[first:]) == rows.shape[2]:
            return tuple(range(first, rank))
    return ()


def _undoes(reshape: ir.Node, source: ir.Value) -> bool:
    """Whether this gives a view of `source` its shape again; the number of elements decides one unknown size."""
    result, unknown = reshape.outputs[0], ir.SymbolicDim(None)
    sizes = zip(source.shape or (), result.shape or (), strict=False)
    return keeps_shape(source, result) and sum(one != other or one == unknown for one, other in sizes) < 2


def _are_moments(rows: ir.Value, mean: ir.Value | None, variance: ir.Value | None) -> bool:
    """Whether both are the moments of each row of `rows`."""
    squeeze, quotient = _maker(mean, "Squeeze"), _maker(variance, "Div")
    if squeeze is None or quotient is None or rows.shape is None:
        return False
    averaged, adder = _maker(squeeze.inputs[0], "ReduceMean"), _maker(quotient.inputs[0], "ReduceSumSquare")
    if averaged is None or averaged.inputs[0] is not rows or averaged_axes(averaged) != _WITHIN_ROWS:
        return False
    if adder is None or tuple(sorted(reduced_axes(adder))) != _WITHIN_ROWS:
        return False
    known = derived({rows: X, averaged.outputs[0]: M}, adder.graph)
    centred = [value for value, read in known.items() if read.is_close(X - M, rtol=ROUNDING)]
    size = array(quotient.inputs[1])
    return adder.inputs[0] in centred and size is not None and bool(np.all(size == rows.shape[2]))

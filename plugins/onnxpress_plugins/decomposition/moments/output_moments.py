"""What a layer gives: how much its outputs vary, and how much of that gets through the Relu behind it.

A Relu hides what is below zero, errors included, and many channels are there most of the time.  The error of what comes
*behind* it is what counts (Zhang, Zou, He and Sun, "Accelerating Very Deep Convolutional Networks for Classification
and Detection", TPAMI 2016, arxiv.org/abs/1505.06798, who solve for it by alternation).  In its cheapest form it is the
error of each output weighed with how often the Relu is open,

    sum_o d_o^2 E |y_o - y'_o|^2          d_o^2 = max(P(y_o > 0), 1/50)

which `factorings` minimises in closed form.  No weight is zero, for an error may open a Relu that was always shut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_LEAST = 0.02
"""What an output weighs whose Relu is always shut."""


class OutputMoments:
    """The outputs of one layer.

    Args:
        value: The output.
        axis: Where its channels are.
    """

    def __init__(self, value: ir.Value, axis: int) -> None:
        self._axis, self._is_gated = axis, is_gated(value)
        self._count = 0
        self._sums: NDArray[np.float64] | float = 0.0
        self._squares: NDArray[np.float64] | float = 0.0
        self._open: NDArray[np.intp] | int = 0

    def add(self, sample: Array) -> None:
        """Take what the layer gives in one run."""
        rows = np.moveaxis(sample, self._axis, 0).reshape(sample.shape[self._axis], -1)
        self._count += rows.shape[1]
        self._sums = self._sums + rows.sum(axis=1, dtype=np.float64)
        self._squares = self._squares + np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        if self._is_gated:
            self._open = self._open + np.count_nonzero(rows > 0, axis=1)

    @property
    def scales(self) -> NDArray[np.float64] | None:
        """d, ``(outputs,)``; None: all alike, for no Relu hides anything."""
        return np.sqrt(np.maximum(self._open / max(self._count, 1), _LEAST)) if self._is_gated else None

    @property
    def variance(self) -> float:
        """Sum of the weighed variances of all outputs."""
        count, scales = max(self._count, 1), self.scales
        variances = np.maximum(self._squares / count - np.square(self._sums / count), 0.0)
        return float(np.sum(variances if scales is None else np.square(scales) * variances))


def is_gated(value: ir.Value) -> bool:
    """Whether nothing sees of `value` what is below zero."""
    users = [use.node for use in value.uses()]
    return bool(users) and not value.is_graph_output() and all(map(_is_relu, users))


def _is_relu(node: ir.Node) -> bool:
    if node.domain or node.op_type not in ("Relu", "Clip"):
        return False
    low = array(node.inputs[1]) if len(node.inputs) > 1 else None
    return node.op_type == "Relu" or (low is not None and low.item() == 0)

"""Scales of weights and biases.

A weight channel has scale ``max|w| / 127``.  A bias is int32 with scale exactly ``s_x * s_w`` (the product in
float32, as onnxruntime computes it) and zero point 0, so that the kernel adds it to its accumulator.  Where a
channel's weights are so small that its bias would overflow, the scale of the channel's weights is raised until the
bias fits: those weights contribute next to nothing, while a wrapped bias would be plainly wrong.  The accumulator's
other half, the sum of products, is left its share: biases stay below 2**30.

A channel of zeros has no scale of its own; it gets one that represents its bias to 24 bits, as a float does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidModel
from onnxpress.quantize import SMALLEST_SCALE, quantize, weight_scales
from onnxpress.targets import Scheme
from onnxpress_plugins.constants import array
from onnxpress_plugins.quantization.activation_parameters import Parameters
from onnxpress_plugins.quantization.eligibility import Unit
from onnxpress_plugins.quantization.quantization_plan import Plan
from onnxpress_plugins.quantization.weight_rounding import Rounding, cancel_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BIAS_LIMIT = float(2**30)
_BIAS_PRECISION = float(2**24)


class Weight:
    """A constant to quantise, with every bias whose scale hangs on it.

    Args:
        value: The float constant.
        axis: Its axis of output channels.

    Attributes:
        scales: Shape ``(channels,)``, or ``()`` for one scale; once `settle` has run.
        raised: How many scales were raised for the sake of a bias.
    """

    def __init__(self, value: ir.Value, axis: int) -> None:
        self.value = value
        self.axis = axis
        self.scales: NDArray[np.float32] = np.zeros((), np.float32)
        self.raised = 0
        self._biases: list[tuple[ir.Value, np.float32]] = []

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The weight itself; memory-mapped when it is external."""
        return finite(self.value)

    def add_bias(self, bias: ir.Value, activation_scale: np.float32) -> None:
        """Take into account that `bias` will be added to products of this weight and an activation."""
        self._biases.append((bias, activation_scale))

    def settle(self, scheme: Scheme) -> None:
        """Choose the scales.

        Raises:
            InvalidModel: The weight or a bias holds NaN or infinity.
        """
        natural = weight_scales(self.numbers, self.axis if scheme.per_channel else None, scheme)
        empty, scales = natural == 0, natural
        for bias, activation_scale in self._biases:
            magnitude = np.abs(self._per_channel(bias).astype(np.float64))
            if not scheme.per_channel:
                magnitude = magnitude.max(initial=0.0)
            least = np.maximum(magnitude / np.where(empty, _BIAS_PRECISION, _BIAS_LIMIT), SMALLEST_SCALE)
            least = np.nextafter((least / np.float64(activation_scale)).astype(np.float32), np.float32(np.inf))
            scales = np.maximum(scales, np.where(empty & (magnitude == 0), np.float32(0), least))
        self.raised = int(((scales > natural) & ~empty).sum())
        self.scales = np.where(scales == 0, np.float32(1), scales).astype(np.float32)

    def integers(self, scheme: Scheme, rounding: Rounding) -> tuple[NDArray[Any], NDArray[Any]]:
        """The weight as integers, and their zero points, the shape of `scales`."""
        zero_points = np.zeros(self.scales.shape, scheme.dtype)
        axis = self.axis if self.scales.ndim else None
        nearest = quantize(self.numbers, self.scales, zero_points, dtype=scheme.dtype, axis=axis)
        if rounding == "nearest":
            return nearest, zero_points
        return cancel_errors(nearest, self.numbers, self.scales, self.axis), zero_points

    def bias(self, bias: ir.Value, activation_scale: np.float32) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """A bias as integers, shape ``(channels,)``, and their scales, the shape of `scales`."""
        scales = np.asarray(activation_scale * self.scales, dtype=np.float32)
        return np.rint(self._per_channel(bias) / scales.astype(np.float64)).astype(np.int32), scales

    def _per_channel(self, bias: ir.Value) -> NDArray[np.float32]:
        return np.broadcast_to(finite(bias).reshape(-1), (self.numbers.shape[self.axis],))


def planned_weights(plan: Plan, parameters: Parameters) -> list[tuple[Unit, Weight]]:
    """Every unit of `plan` that has a weight, with its record, settled; units that share a weight share the record.

    Args:
        plan: What will be quantised.
        parameters: Scale and zero point of every tensor of the plan.

    Raises:
        InvalidModel: A weight or bias holds NaN or infinity.
    """
    known: dict[tuple[ir.Value, int], Weight] = {}
    records = []
    for unit in plan.units:
        if unit.weight is None:
            continue
        weight = known.setdefault((unit.weight, unit.channel_axis), Weight(unit.weight, unit.channel_axis))
        if unit.bias is not None:
            weight.add_bias(unit.bias, parameters[next(unit.computed())][0])
        records.append((unit, weight))
    for weight in known.values():
        weight.settle(plan.target.weight)
    return records


def finite(value: ir.Value) -> NDArray[np.float32]:
    """The numbers of a float constant.

    Raises:
        InvalidModel: Some are NaN or infinite.
    """
    numbers = array(value)
    assert numbers is not None
    if not np.isfinite(numbers).all():
        raise InvalidModel(
            f"constant {value.name!r} holds NaN or infinity and cannot be quantised; "
            "mend the model, or exclude the nodes that use it"
        )
    return numbers

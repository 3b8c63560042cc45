"""Scales of weights and biases.

A weight channel has scale ``max|w| / 127``.  A bias is int32 with scale exactly ``s_x * s_w`` (the product in
float32, as onnxruntime computes it) and zero point 0, so that the kernel adds it to its accumulator.  Where a
channel's weights are so small that its bias would overflow, the scale of the channel's weights is raised until the
bias fits: those weights contribute next to nothing, while a wrapped bias would be plainly wrong.  The accumulator's
other half, the sum of products, is left its share: biases stay below 2**30.

A channel of zeros has no scale of its own; it gets one that represents its bias to 24 bits, as a float does.

The groups of a transposed convolution have their channels on one axis of the weight, one behind the other, and so share
scales.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress.errors import InvalidModel
from onnxpress.quantize import SMALLEST_SCALE, quantize, weight_scales
from onnxpress.targets import Scheme
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
        groups: How often that axis is there, group by group.

    Attributes:
        scales: Shape ``(channels,)``, or ``()`` for one scale; once `settle` has run.
        raised: How many scales were raised for the sake of a bias.
        tiny: How many scales are the smallest that there is.
    """

    def __init__(self, value: ir.Value, axis: int, groups: int = 1) -> None:
        self.value = value
        self.axis = axis
        self.groups = groups
        self.scales: NDArray[np.float32] = np.zeros((), np.float32)
        self.raised = 0
        self.tiny = 0
        self._biases: list[tuple[ir.Value, np.float32]] = []

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The weight itself; memory-mapped when it is external."""
        return finite(self.value)

    def add_bias(self, bias: ir.Value, activation_scale: np.float32) -> None:
        """Take into account that `bias` will be added to products of this weight and an activation."""
        self._biases.append((bias, activation_scale))

    def settle(self, scheme: Scheme, given: NDArray[np.float32] | None = None) -> None:
        """Choose the scales.

        Args:
            scheme: The integers to use.
            given: Scales to take, raised only where they must be; None for those of the largest weights.

        Raises:
            InvalidModel: The weight or a bias holds NaN or infinity.
        """
        axis = self.axis if scheme.per_channel else None
        natural = weight_scales(self.numbers, axis, scheme) if given is None else given
        empty, scales = natural == 0, natural
        for bias, activation_scale in self._biases:
            magnitude = np.abs(self._per_channel(bias).astype(np.float64)).max(axis=0)
            if not scheme.per_channel:
                magnitude = magnitude.max(initial=0.0)
            least = np.maximum(magnitude / np.where(empty, _BIAS_PRECISION, _BIAS_LIMIT), SMALLEST_SCALE)
            least = np.nextafter((least / np.float64(activation_scale)).astype(np.float32), np.float32(np.inf))
            scales = np.maximum(scales, np.where(empty & (magnitude == 0), np.float32(0), least))
        smallest = np.float32(scheme.smallest_scale)
        self.raised = int(((scales > natural) & ~empty).sum())
        self.tiny = int((scales == smallest).sum())
        self.scales = np.where(scales == 0, np.float32(1), np.maximum(scales, smallest)).astype(np.float32)

    def integers(self, scheme: Scheme, rounding: Rounding) -> tuple[NDArray[Any], NDArray[Any]]:
        """The weight as integers, and their zero points, the shape of `scales`."""
        zero_points = np.zeros(self.scales.shape, scheme.dtype)
        axis = self.axis if self.scales.ndim else None
        nearest = quantize(self.numbers, self.scales, zero_points, dtype=scheme.dtype, axis=axis)
        if rounding == "nearest":
            return nearest, zero_points
        parts = zip(np.split(nearest, self.groups), np.split(self.numbers, self.groups), strict=True)
        return np.concatenate([cancel_errors(*part, self.scales, self.axis) for part in parts]), zero_points

    def bias(self, bias: ir.Value, activation_scale: np.float32) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """A bias as integers, one per output channel, and their scales: as many, or one."""
        scales = np.asarray(activation_scale * self.scales, dtype=np.float32)
        integers = np.rint(self._per_channel(bias) / scales.astype(np.float64)).astype(np.int32)
        return integers.reshape(-1), np.tile(scales, self.groups) if scales.ndim else scales

    def _per_channel(self, bias: ir.Value) -> NDArray[np.float32]:
        """A bias by group and channel of the weight."""
        channels = self.numbers.shape[self.axis]
        return np.broadcast_to(finite(bias).reshape(-1), (self.groups * channels,)).reshape(self.groups, channels)


def planned_weights(plan: Plan, parameters: Parameters) -> list[tuple[Unit, Weight]]:
    """Every unit of `plan` that has a weight, with its record, settled; units that share a weight share the record.

    Args:
        plan: What will be quantised.
        parameters: Scale and zero point of every tensor of the plan.

    Raises:
        InvalidModel: A weight or bias holds NaN or infinity.
    """
    known: dict[tuple[ir.Value, int, int, bool], Weight] = {}
    records = []
    for unit in plan.units:
        if unit.weight is None:
            continue
        place = (unit.weight, unit.channel_axis, unit.groups if unit.channel_axis == 1 else 1)
        weight = known.setdefault((*place, unit.rule.per_channel), Weight(*place))
        if unit.bias is not None:
            weight.add_bias(unit.bias, parameters[next(unit.computed())][0])
        records.append((unit, weight))
    scheme = plan.target.weight
    for (*_, per_channel), weight in known.items():
        weight.settle(replace(scheme, per_channel=scheme.per_channel and per_channel))
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

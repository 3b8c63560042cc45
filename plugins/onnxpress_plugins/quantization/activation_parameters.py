"""Scale and zero point of every quantised tensor, from the ranges that calibration found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidData
from onnxpress.quantize import parameters
from onnxpress.ranges import META_KEY, Range
from onnxpress_plugins.quantization.quantization_plan import Plan, observed
from onnxpress_plugins.quantization.scale_sharing import Group

Parameters = Mapping[ir.Value, tuple[np.float32, int]]
"""Scale and zero point by tensor."""


def activation_parameters(plan: Plan) -> Parameters:
    """Scale and zero point of every tensor of `plan`; those of one group are the same.

    Raises:
        InvalidData: A tensor has no range.
    """
    missing = [value.name for value in observed(plan) if META_KEY not in value.meta]
    if missing:
        raise InvalidData(
            f"{len(missing)} of {len(observed(plan))} tensors to quantise have no range, {missing[0]!r} first; "
            "run the pass calibrate first, with the same target and exclusions"
        )
    scheme = plan.target.activation
    return {
        value: found
        for group in plan.groups
        for found in [parameters(*_range(group), scheme)]
        for value in group.values
    }


def _range(group: Group) -> tuple[float, float]:
    """The union of the sources' ranges, cut to what a vanished activation lets through."""
    ranges: list[Range] = [value.meta[META_KEY] for value in group.sources]
    low, high = min(found.low for found in ranges), max(found.high for found in ranges)
    return (low, high) if group.limit is None else (0.0, max(min(high, group.limit), 0.0))

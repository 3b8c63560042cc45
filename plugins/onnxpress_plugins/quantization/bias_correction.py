"""Correct biases so that rounding the weights does not shift what a layer gives on average.

A weight W becomes ``W + E`` when it is rounded, so that the layer's output is off by ``E x``, on average by ``E
E[x]``, the same in every sample.  The bias can take that back exactly:

    b' = b - E E[x]

with the mean of every input channel measured on the calibration data in one streaming pass.  A tap at the border sees
padding instead; that is neglected (counting it exactly changed nothing that could be measured).  E is the error of the
very integers that `insert-qdq` will store, so the two passes take the same options.  On EfficientNet-Lite0 with its
ImageNet weights the noise of the whole int8 model falls from 22.2 dB below the signal to 24.1 dB.

This is empirical bias correction (Nagel et al., ICCV 2019, arXiv:1906.04721, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, give
from onnxpress.errors import InvalidData
from onnxpress.kinds import Context, Pass, Target
from onnxpress.naming import Names
from onnxpress.quantize import dequantize
from onnxpress_plugins.quantization.activation_parameters import activation_parameters
from onnxpress_plugins.quantization.eligibility import Unit
from onnxpress_plugins.quantization.observing import check_limit, observe
from onnxpress_plugins.quantization.quantization_plan import plan
from onnxpress_plugins.quantization.weight_quantization import Weight, planned_weights
from onnxpress_plugins.quantization.weight_rounding import CORRECTED, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INPUT_CHANNELS = {"Conv": 1, "ConvTranspose": 1, "Gemm": -1, "MatMul": -1}
"""Axis of a layer's input that its weight's second axis runs over; layers that differ are left alone."""


class ChannelMeans:
    """Watches one tensor: the mean of every channel over all samples and places."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._sums: NDArray[np.float64] = np.zeros(())
        self._count = 0

    def update(self, sample: NDArray[np.float32], low: float, high: float) -> None:
        """Take one sample of the tensor."""
        others = tuple(index for index in range(sample.ndim) if index != self._axis % sample.ndim)
        sums = sample.sum(axis=others, dtype=np.float64)
        self._sums = self._sums + sums
        self._count += sample.size // sums.size

    def merge(self, other: ChannelMeans) -> None:
        """Take over what another has seen."""
        self._sums = self._sums + other._sums
        self._count += other._count

    def range(self) -> tuple[float, float]:
        """The smallest and the largest mean."""
        return float(self.means().min()), float(self.means().max())

    def means(self) -> NDArray[np.float64]:
        """The means, shape ``(channels,)``."""
        return self._sums / self._count


class CorrectBiases(ir.passes.InPlacePass):
    """The pass.

    Args:
        context: Where samples, progress, notes and the number of threads come from.
        target: What the model will run on.
        rounding: How `insert-qdq` will round weights.
        limit: How many samples to use at most; None uses all.
        **excluded: What stays float and what has one scale, as `quantization_plan.plan` takes it.
    """

    def __init__(
        self, context: Context, target: Target, *, rounding: Rounding, limit: int | None, **excluded: Sequence[str]
    ) -> None:
        super().__init__()
        self._context = context
        self._target = target
        self._rounding = rounding
        self._limit = limit
        self._excluded = excluded

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Correct the bias of every node whose weight will be rounded; without data, warn and do nothing.

        Raises:
            InvalidData: A tensor to quantise has no range, or a sample does not fit the model.
            InvalidModel: A weight or bias holds NaN or infinity.
            InvalidOption: What is to be excluded is not in the model.
        """
        if self._context.data is None:
            self._context.notes.warn("biases are not corrected: there are no data to measure means on")
            return ir.passes.PassResult(model, False)
        decided = plan(model, self._target, **self._excluded)
        layers = [
            (unit, weight)
            for unit, weight in planned_weights(decided, activation_parameters(decided))
            if self._has_place_for_bias(unit)
        ]
        means = self._measure(model, [unit for unit, _ in layers])
        names = Names(model)
        for unit, weight in layers:
            shift = self._shift(unit, weight, means[next(unit.computed())])
            _subtract(unit, shift, names)
            unit.node.outputs[0].meta[CORRECTED] = self._rounding
            self._context.notes.count("biases corrected")
        return ir.passes.PassResult(model, bool(layers))

    def _has_place_for_bias(self, unit: Unit) -> bool:
        if unit.bias_place is None:
            reason = "it has no bias to correct"
        elif unit.node.op_type not in _INPUT_CHANNELS:
            reason = f"the channels of {unit.node.op_type} lie otherwise than those it knows"
        else:
            return True
        self._context.notes.decline(unit.node, reason)
        return False

    def _measure(self, model: ir.Model, units: Sequence[Unit]) -> dict[ir.Value, NDArray[np.float64]]:
        trackers = {next(unit.computed()): ChannelMeans(_INPUT_CHANNELS[unit.node.op_type]) for unit in units}
        data = self._context.data
        assert data is not None
        if not trackers:
            return {}
        context = self._context
        if not observe(model, trackers, data, limit=self._limit, threads=context.threads, progress=context.progress):
            raise InvalidData("biases cannot be corrected: the data hold no sample")
        return {value: tracker.means() for value, tracker in trackers.items()}

    def _shift(self, unit: Unit, weight: Weight, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each output channel moves on average, shape ``(channels,)``."""
        integers, zero_point = weight.integers(self._target.weight, self._rounding)
        axis = weight.axis if weight.scales.ndim else None
        error = dequantize(integers, weight.scales, zero_point, axis=axis).astype(np.float64) - weight.numbers
        rows = np.concatenate([np.moveaxis(part, weight.axis, 0) for part in np.split(error, weight.groups)])
        return grouped_product(rows.reshape(*rows.shape[:2], -1).sum(axis=2), means) / _spacing(unit.node)


def _spacing(node: ir.Node) -> int:
    """How many outputs share the taps of a kernel: those of a transposed convolution that lie between two inputs."""
    return prod(node.attributes.get_ints("strides", (1,))) if node.op_type == "ConvTranspose" else 1


def grouped_product(matrix: NDArray[Any], vector: NDArray[Any]) -> NDArray[np.float64]:
    """``matrix @ vector`` where the rows fall into as many groups as the vector is longer than a row.

    Args:
        matrix: Shape ``(outputs, inputs per group)``.
        vector: Shape ``(inputs,)``.
    """
    parts = vector.reshape(-1, matrix.shape[1])
    rows = matrix.reshape(len(parts), -1, matrix.shape[1])
    return np.asarray(np.einsum("goi,gi->go", rows, parts).reshape(-1), dtype=np.float64)


def _subtract(unit: Unit, shift: NDArray[np.float64], names: Names) -> None:
    assert unit.bias_place is not None
    bias, (node, index) = array(unit.bias), unit.bias_place
    corrected = -shift if bias is None else bias.reshape(-1) - shift
    give(node, index, corrected.astype(np.float32), names, wish=f"{unit.node.outputs[0].name}_bias")


def _build(
    context: Context,
    *,
    target: str | None = None,
    rounding: Rounding = "cancelling",
    samples: int | None = None,
    exclude_nodes: list[str] = [],  # noqa: B006
    exclude_patterns: list[str] = [],  # noqa: B006
    exclude_ops: list[str] = [],  # noqa: B006
    only_nodes: list[str] = [],  # noqa: B006
    per_tensor: list[str] = [],  # noqa: B006
) -> ir.passes.PassBase:
    check_limit("correct-biases", samples)
    return CorrectBiases(
        context,
        context.catalog.get(Target, target or context.target),
        rounding=rounding,
        limit=samples,
        exclude_nodes=exclude_nodes,
        exclude_patterns=exclude_patterns,
        exclude_ops=exclude_ops,
        only_nodes=only_nodes,
        per_tensor=per_tensor,
    )


CORRECT_BIASES = Pass(
    name="correct-biases",
    summary="Let biases take back what rounding the weights will add on average; needs calibration data",
    build=_build,
)

"""Quantise a float model by AMCT's record: the user's own scales, exactly, as AMCT's ``convert_model`` does.

For a layer with an entry

    x -> QuantizeLinear(scale_d, offset_d) -> DequantizeLinear        q_w = saturate(round(w / scale_w))
                                                                      q_b = round(b / (scale_d * scale_w))

and for an entry of one input only the pair.  Whatever has no entry stays float, and float users of x keep the exact x;
layers that agree on scale and offset of one x share a pair.  Before that

- BatchNormalization, and what computes the same, is folded into the layer before it, as AMCT does before it measures
  scales; not where the entry says ``skip_fusion``, and never into a layer behind it.
- with factors f (``tensor_balance_factor``) the layer's input is multiplied by 1/f and its weights by f, both by
  input channel: ``W x = (W f) (x / f)``.

A scale_w changes only where it cannot be used: where the int32 bias would overflow it is raised, as it is where it is
below the least step there is, and the report says so.  Weights beyond 127 steps saturate, which is reported too,
because it is what a record of another model looks like.

Source: ``save_model`` of ``hicann/amct``, whose passes these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress import opset
from onnxpress.ascend import record_files
from onnxpress.ascend.record_files import LayerRecord
from onnxpress.constants import drop_if_unused
from onnxpress.kinds import Context, Pass, Target
from onnxpress.naming import Names
from onnxpress.records import Notes
from onnxpress_plugins.folding.affine import Affine
from onnxpress_plugins.folding.bn_folding import FoldBatchNorm
from onnxpress_plugins.folding.linear_layers import layer
from onnxpress_plugins.quantization.eligibility import Unit
from onnxpress_plugins.quantization.qdq_pairs import PairWriter
from onnxpress_plugins.quantization.recorded_layers import Recorded, RecordedModel
from onnxpress_plugins.quantization.weight_quantization import Weight

if TYPE_CHECKING:
    from numpy.typing import NDArray


_FARTHEST = 129
"""AMCT itself puts the largest weight at 127, or -128; so many steps away, scale and weight are strangers."""


class ApplyRecord(ir.passes.InPlacePass):
    """The pass.

    Args:
        target: What the model will run on.
        path: The record's file, for errors.
        records: What it holds.
        notes: Where to say what was quantised, and what stayed float.
    """

    def __init__(self, target: Target, path: Path, records: Mapping[str, LayerRecord], notes: Notes) -> None:
        super().__init__()
        self._target = target
        self._path = path
        self._records = records
        self._notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantise the main graph of `model`.

        Raises:
            InvalidModel: A weight or bias holds NaN or infinity.
            InvalidOption: An entry names nothing in the model, or does not fit what it names.
            UnsupportedModel: The opset is too low and cannot be raised.
        """
        raised = opset.at_least(model, self._target.opset)
        skipped = RecordedModel(model, self._target, self._path).unfolded(self._records)
        folded = FoldBatchNorm(self._notes, exclude_layers=skipped, ahead=False)(model).modified
        found = RecordedModel(model, self._target, self._path).find(self._records)
        application = _Application(model, self._target, self._notes)
        for entry in found:
            application.weight(entry)
        for entry in found:
            application.activation(entry)
        self._report(model, found)
        return ir.passes.PassResult(model, modified=raised or folded or bool(found))

    def _report(self, model: ir.Model, found: list[Recorded]) -> None:
        quantised = {entry.node for entry in found}
        for node in model.graph:
            if node not in quantised and not node.domain and self._target.rule(node.op_type) is not None:
                self._notes.decline(node, f"{self._path.name} has no scales for it")
        half = [entry.key for entry in found if entry.record.forces_half]
        if half:
            self._notes.warn(
                f"{len(half)} entries ask for FORCE_FP16_QUANT, {half[0]!r} first; their scales are applied in float32"
            )


class _Application:
    """Entries being carried out on one model."""

    def __init__(self, model: ir.Model, target: Target, notes: Notes) -> None:
        self._graph = model.graph
        self._target = target
        self._notes = notes
        self._names = Names(model)
        self._writer = PairWriter(model.graph, self._names)
        self._stored: dict[tuple[ir.Value, int, bytes, tuple[float, ...]], ir.Value] = {}
        self._pairs: dict[tuple[ir.Value, float, int], ir.Value] = {}

    def weight(self, entry: Recorded) -> None:
        """Store the weight of a layer as integers, and its bias as int32."""
        unit, record = entry.unit, entry.record
        if unit is None or unit.weight is None or unit.weight_index is None:
            return
        if record.balance:
            self._balance(unit, record)
        groups = unit.groups if unit.channel_axis == 1 else 1
        weight = Weight(unit.weight, unit.channel_axis, groups)
        if unit.bias is not None:
            weight.add_bias(unit.bias, np.float32(entry.step))
        scales = np.array(record.scale_w, np.float32)
        given = scales[: scales.size // groups] if scales.size > 1 else scales.reshape(())
        scheme = replace(self._target.weight, per_channel=given.ndim > 0)
        weight.settle(scheme, given)
        self._report(entry.key, weight, given)
        place = (weight.value, weight.axis, weight.scales.tobytes(), record.balance)
        if place not in self._stored:
            integers, zero_point = weight.integers(scheme, "nearest")
            axis = weight.axis if weight.scales.ndim else None
            self._stored[place] = self._writer.stored(
                weight.value, integers, weight.scales, zero_point, axis=axis, before=unit.node
            )
        self._bias(unit, weight, np.float32(entry.step))
        _give(unit.node, unit.weight_index, self._stored[place])

    def activation(self, entry: Recorded) -> None:
        """Let the node read its input through a pair."""
        value, record = entry.node.inputs[entry.index], entry.record
        assert value is not None
        place = (value, entry.step, record.offset_d)
        if place not in self._pairs:
            scale = self._writer.constant(f"{value.name}_scale", np.float32(entry.step))
            zero_point = self._writer.constant(f"{value.name}_zero_point", np.array(record.offset_d, np.int8))
            self._pairs[place] = self._writer.pair(value, scale, zero_point)
        entry.node.replace_input_with(entry.index, self._pairs[place])
        self._notes.count(f"{entry.node.op_type} quantised" if entry.unit else "other inputs quantised")

    def _bias(self, unit: Unit, weight: Weight, step: np.float32) -> None:
        if unit.bias is None or unit.bias_place is None:
            return
        node, index = unit.bias_place
        integers, scales = weight.bias(unit.bias, step)
        axis = 0 if scales.ndim else None
        _give(node, index, self._writer.stored(unit.bias, integers, scales, None, axis=axis, before=unit.node))

    def _balance(self, unit: Unit, record: LayerRecord) -> None:
        """Divide the input of a layer by its factors, and multiply its weights by them."""
        factors = np.array(record.balance, np.float32)
        node, linear, name = unit.node, layer(unit.node), unit.node.name
        assert linear is not None and unit.weight is not None and unit.weight.shape is not None
        linear.ahead(Affine(factors.astype(np.float64), np.zeros(factors.size))).store(self._names)
        reciprocals = (1 / factors).reshape([1, -1, *[1] * (len(unit.weight.shape) - 2)])
        divisor = self._writer.constant(f"{name}.tensor_balance_factor", reciprocals)
        mul = ir.node("Mul", [node.inputs[0], divisor], name=self._names.fresh(f"{name}.mul"))
        self._graph.insert_before(node, mul)
        source, result = node.inputs[0], mul.outputs[0]
        assert source is not None
        result.name, result.type, result.shape = self._names.fresh(f"{name}.mul.output0"), source.type, source.shape
        node.replace_input_with(0, result)
        self._notes.count("inputs balanced")

    def _report(self, key: str, weight: Weight, given: NDArray[np.float32]) -> None:
        """Say where the scales are not those that were given, or do not seem to be meant for this weight."""
        raised = int((weight.scales > given).sum())
        if raised:
            self._notes.warn(
                f"scale_w of {raised} channels of {key!r} was raised, for the int32 bias or the least step"
            )
        steps = weight.scales.reshape([-1 if axis == weight.axis else 1 for axis in range(weight.numbers.ndim)])
        reach = np.abs(weight.numbers / steps).max(initial=0.0)
        if reach > _FARTHEST:
            self._notes.warn(
                f"the weights of {key!r} reach {reach:.4g} steps of scale_w and saturate at 127; "
                "is the record of this model?"
            )


def _give(node: ir.Node, index: int, value: ir.Value) -> None:
    old = node.inputs[index]
    node.replace_input_with(index, value)
    if old is not None:
        drop_if_unused(old)


def _build(context: Context, *, record: Path, target: str | None = None) -> ir.passes.PassBase:
    chosen = context.catalog.get(Target, target or context.target)
    return ApplyRecord(chosen, record, record_files.load(record), context.notes)


APPLY_RECORD = Pass(
    name="apply-record",
    summary="Quantise by the scales in a record file of AMCT, those and no others",
    build=_build,
)

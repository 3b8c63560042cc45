"""Insert QuantizeLinear and DequantizeLinear so that the target's integer kernels take over.

Every quantised tensor x gets one pair, ``x -> QuantizeLinear -> DequantizeLinear``, which all users of x share.
Behind a node that runs in integers everybody reads the dequantised x, since no other is ever computed; behind a float
node only integer kernels do, and float users keep the exact x.  A weight is stored as integers before a
DequantizeLinear per channel, a bias as int32 (`weight_quantization`).  The plan says where (`quantization_plan`),
calibration says the ranges.

A range is cut to what a vanished Relu or Clip lets through: the zero point then is the smallest integer and the scale
at most ``limit / 255``, which is the condition for onnxruntime to drop the activation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxpress import opset
from onnxpress.constants import constant, drop_if_unused
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Context, Pass, Target
from onnxpress.naming import Names
from onnxpress.quantize import parameters, quantize
from onnxpress.records import Notes
from onnxpress_plugins.quantization.activation_parameters import activation_parameters
from onnxpress_plugins.quantization.eligibility import Unit
from onnxpress_plugins.quantization.qdq_pairs import PairWriter
from onnxpress_plugins.quantization.quantization_plan import Plan, plan
from onnxpress_plugins.quantization.weight_quantization import Weight, finite, planned_weights
from onnxpress_plugins.quantization.weight_rounding import CORRECTED, Rounding


class InsertQdq(ir.passes.InPlacePass):
    """The pass.

    Args:
        target: What the model will run on.
        notes: Where to say what was quantised, and what stayed float and why.
        rounding: Weights to the nearest integer, or so that the errors of a channel cancel (`weight_rounding`).
        **excluded: What stays float and what has one scale, as `quantization_plan.plan` takes it.
    """

    def __init__(self, target: Target, notes: Notes, *, rounding: Rounding, **excluded: Sequence[str]) -> None:
        super().__init__()
        self._target = target
        self._notes = notes
        self._rounding = rounding
        self._excluded = excluded

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Quantise the main graph of `model`.

        Raises:
            InvalidData: A tensor to quantise has no range.
            InvalidModel: A weight or bias holds NaN or infinity.
            InvalidOption: What is to be excluded is not in the model.
            UnsupportedModel: The opset is too low and cannot be raised.
        """
        raised = opset.at_least(model, self._target.opset)
        decided = plan(model, self._target, **self._excluded)
        self._check_corrections(decided)
        self._check_opset(model.opset_imports.get("", self._target.opset))
        for node, reason in decided.declined:
            self._notes.decline(node, reason)
        insertion = _Insertion(model, decided, self._notes, self._rounding)
        insertion.weights()
        insertion.constants()
        insertion.activations()
        for unit in decided.units:
            self._notes.count(f"{unit.node.op_type} quantised")
        return ir.passes.PassResult(model, modified=raised or bool(decided.units))

    def _check_opset(self, version: int) -> None:
        newest = self._target.newest_opset
        if newest is not None and version > newest:
            self._notes.warn(
                f"the model is of opset {version}, and what reads models for {self._target.name} may know operators up "
                f"to opset {newest} alone; export it at {newest} or lower"
            )

    def _check_corrections(self, decided: Plan) -> None:
        """A bias that was corrected for integer weights is wrong for float ones, or for others."""
        rounded = [(unit.node, self._rounding) for unit in decided.units]
        for node, rounding in [*rounded, *((node, "float") for node, _ in decided.declined)]:
            corrected = node.outputs[0].meta.get(CORRECTED, rounding)
            if corrected != rounding:
                raise InvalidOption(
                    f"'correct-biases' prepared {node.name!r} for rounding {corrected!r}, but here it is {rounding!r}; "
                    "give both passes the same options, e.g. with --set '*.exclude_nodes=NAME'"
                )


class _Insertion:
    """A plan being carried out on one model."""

    def __init__(self, model: ir.Model, decided: Plan, notes: Notes, rounding: Rounding) -> None:
        self._plan = decided
        self._notes = notes
        self._rounding = rounding
        self._parameters = activation_parameters(decided)
        self._writer = PairWriter(model.graph, Names(model))
        self._integer = {unit.node for unit in decided.units}
        self._readers: dict[ir.Value, list[tuple[ir.Node, int]]] = {}
        for unit in decided.units:
            for index, value in unit.inputs():
                self._readers.setdefault(value, []).append((unit.node, index))

    def weights(self) -> None:
        """Store weights as integers per channel, and their biases as int32."""
        dequantised: dict[Weight, ir.Value] = {}
        for unit, weight in planned_weights(self._plan, self._parameters):
            if weight not in dequantised:
                dequantised[weight] = self._store_weight(unit, weight)
            self._store_bias(unit, weight)
            assert unit.weight_index is not None
            _give(unit.node, unit.weight_index, dequantised[weight])

    def _input_scale(self, unit: Unit) -> np.float32:
        return self._parameters[next(unit.computed())][0]

    def _store_weight(self, unit: Unit, weight: Weight) -> ir.Value:
        if weight.raised:
            self._notes.count("weight channels with a raised scale, so that their int32 bias fits", weight.raised)
            self._notes.details.setdefault("raised weight scales", {})[unit.node.name] = weight.raised
        self._notes.count("weight channels with the smallest scale there is", weight.tiny)
        integers, zero_point = weight.integers(self._plan.target.weight, self._rounding)
        axis = weight.axis if weight.scales.ndim else None
        return self._writer.stored(weight.value, integers, weight.scales, zero_point, axis=axis, before=unit.node)

    def _store_bias(self, unit: Unit, weight: Weight) -> None:
        if unit.bias is None or unit.bias_place is None:
            return
        node, index = unit.bias_place
        integers, scales = weight.bias(unit.bias, self._input_scale(unit))
        axis = 0 if scales.ndim else None
        stored = self._writer.stored(unit.bias, integers, scales, None, axis=axis, before=unit.node)
        _give(node, index, stored)

    def constants(self) -> None:
        """Store the constants that stand where an activation may, by their own range."""
        scheme = self._plan.target.activation
        for value, readers in self._readers.items():
            if constant(value) is None:
                continue
            numbers = finite(value)
            scale, zero = parameters(numbers.min(initial=0.0), numbers.max(initial=0.0), scheme)
            zero_point = np.array(zero, scheme.dtype)
            integers = quantize(numbers, scale, zero_point, dtype=scheme.dtype)
            stored = self._writer.stored(value, integers, scale, zero_point, axis=None, before=readers[0][0])
            for node, index in readers:
                _give(node, index, stored)

    def activations(self) -> None:
        """Put a pair behind every computed tensor, and let its users read the dequantised one."""
        integer = {value for unit in self._plan.units if unit.rule.output != "never" for value in unit.outputs}
        for group in self._plan.groups:
            name, (scale, zero_point) = group.values[0].name, self._parameters[group.values[0]]
            inputs = (
                self._writer.constant(f"{name}_scale", scale),
                self._writer.constant(f"{name}_zero_point", np.array(zero_point, self._plan.target.activation.dtype)),
            )
            for value in group.values:
                users = [(use.node, use.idx) for use in value.uses()] if value in integer else self._readers[value]
                dequantised = self._writer.pair(value, *inputs)
                for node, index in users:
                    node.replace_input_with(index, dequantised)
                self._guard(dequantised)
                if value in integer:
                    self._writer.replace_output(value, dequantised)

    def _guard(self, dequantised: ir.Value) -> None:
        """Keep the runtime from quantising, in its own way, what the plan leaves float."""
        float_users = [
            use.node
            for use in dequantised.uses()
            if use.idx == 0 and use.node.op_type in self._plan.target.guarded and use.node not in self._integer
        ]
        if float_users:
            guarded = self._writer.guard(dequantised)
            for node in float_users:
                node.replace_input_with(0, guarded)
                self._notes.count("float nodes guarded from the runtime's own quantisation")


def _give(node: ir.Node, index: int, value: ir.Value) -> None:
    old = node.inputs[index]
    node.replace_input_with(index, value)
    if old is not None:
        drop_if_unused(old)


def _build(
    context: Context,
    *,
    target: str | None = None,
    rounding: Rounding = "cancelling",
    exclude_nodes: list[str] = [],  # noqa: B006
    exclude_patterns: list[str] = [],  # noqa: B006
    exclude_ops: list[str] = [],  # noqa: B006
    only_nodes: list[str] = [],  # noqa: B006
    per_tensor: list[str] = [],  # noqa: B006
) -> ir.passes.PassBase:
    return InsertQdq(
        context.catalog.get(Target, target or context.target),
        context.notes,
        rounding=rounding,
        exclude_nodes=exclude_nodes,
        exclude_patterns=exclude_patterns,
        exclude_ops=exclude_ops,
        only_nodes=only_nodes,
        per_tensor=per_tensor,
    )


INSERT_QDQ = Pass(
    name="insert-qdq",
    summary="Quantise what the target runs in integers: QuantizeLinear/DequantizeLinear pairs, integer weights",
    build=_build,
)

"""What will be quantised, decided before any number is: `calibrate` observes the plan, `insert-qdq` carries it out.

A node runs in integers when the target has a rule for it, it fits the rule, the user does not exclude it, and it pays
(`integer_regions`).  Its inputs are then quantised, and its output unless the kernel gives float just as well and no
integer kernel wants it.  Every other node that computes in float is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from onnxpress.constants import constant
from onnxpress.kinds import Target
from onnxpress.targets import OpRule
from onnxpress_plugins.layer_selection import check, last_word
from onnxpress_plugins.quantization.eligibility import Unit, added_bias, obstacle, vanishing
from onnxpress_plugins.quantization.exclusions import Exclusions
from onnxpress_plugins.quantization.integer_regions import Regions
from onnxpress_plugins.quantization.scale_sharing import Group, groups, joined_channels

_QUIET = {"Cast", "Constant", "DequantizeLinear", "Identity", "QuantizeLinear"}


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be quantised in a model's main graph.

    Attributes:
        target: What it is quantised for.
        units: The nodes that run in integers, in topological order.
        groups: The tensors that are quantised, by who shares scale and zero point, in graph order.
        declined: The nodes that stay float, in graph order, with the reason.
    """

    target: Target
    units: tuple[Unit, ...]
    groups: tuple[Group, ...]
    declined: tuple[tuple[ir.Node, str], ...]


def plan(
    model: ir.Model,
    target: Target,
    *,
    exclude_nodes: Sequence[str] = (),
    exclude_patterns: Sequence[str] = (),
    exclude_ops: Sequence[str] = (),
    only_nodes: Sequence[str] = (),
    per_tensor: Sequence[str] = (),
) -> Plan:
    """Decide what to quantise in `model` for `target`.

    Args:
        model: A float model with types inferred; it is not changed.
        target: What the result runs on.
        exclude_nodes: Names of nodes that stay float.
        exclude_patterns: Shell patterns of names of nodes that stay float.
        exclude_ops: Operators that stay float.
        only_nodes: Names of the nodes to quantise; empty: all that can be.
        per_tensor: Layers whose weight has one scale, as `layer_selection` has it; after ``!``, layers that have one
            per channel after all.  The last that speaks of a layer decides.

    Raises:
        InvalidOption: A name, pattern or operator is not in the model.
    """
    exclusions = Exclusions(nodes=exclude_nodes, patterns=exclude_patterns, ops=exclude_ops, only=only_nodes)
    exclusions.check(model)
    one_scale = [(selector.removeprefix("!"), not selector.startswith("!")) for selector in per_tensor]
    check("per_tensor", [selector for selector, _ in one_scale], model)
    reasons: dict[ir.Node, str] = {}
    regions = Regions(list(_candidates(model.graph, target, exclusions, one_scale, reasons)))
    reasons.update((unit.node, reason) for unit, reason in regions.dropped)
    values = _quantised(model.graph, regions)
    multiple = target.concat_channels
    joined = joined_channels(model.graph, multiple) if multiple else ()
    parts = {node for unit in regions.units for node in unit.nodes}
    return Plan(
        target=target,
        units=tuple(regions.units),
        groups=tuple(groups(values, regions.units, joined)),
        declined=tuple(
            (node, reasons[node]) for node in model.graph.all_nodes() if node in reasons and node not in parts
        ),
    )


def observed(plan: Plan) -> list[ir.Value]:
    """The tensors whose ranges the plan needs, in graph order; calibration looks at exactly these."""
    return [value for group in plan.groups for value in group.sources]


def _candidates(
    graph: ir.Graph,
    target: Target,
    exclusions: Exclusions,
    one_scale: Sequence[tuple[str, bool]],
    reasons: dict[ir.Node, str],
) -> Iterator[Unit]:
    for node in graph.all_nodes():
        rule = None if node.domain else target.rule(node.op_type)
        reason = (
            exclusions.reason(node) or _reason_outside(node, rule, graph, target) or exclusions.unlisted(node, rule)
        )
        if reason is not None or rule is None:
            if reason is not None and _computes_float(node):
                reasons[node] = reason
            continue
        if last_word(one_scale, node):
            rule = replace(rule, per_channel=False)
        addition = _unless_excluded(added_bias(node, rule), exclusions)
        unit = Unit(node, rule, addition, _unless_excluded(vanishing(addition or node, rule), exclusions))
        reason = obstacle(unit, target)
        if reason is None:
            yield unit
        elif _computes_float(node):
            reasons[node] = reason


def _unless_excluded(node: ir.Node | None, exclusions: Exclusions) -> ir.Node | None:
    return None if node is None or exclusions.reason(node) else node


def _reason_outside(node: ir.Node, rule: OpRule | None, graph: ir.Graph, target: Target) -> str | None:
    if node.graph is not graph:
        return "it is inside a subgraph, and only the main graph is quantised"
    return f"{target.name} has no integer kernel for {node.op_type}" if rule is None else None


def _computes_float(node: ir.Node) -> bool:
    floating = any(value.dtype is not None and value.dtype.is_floating_point() for value in node.outputs)
    return floating and node.op_type not in _QUIET and any(v is not None and constant(v) is None for v in node.inputs)


def _quantised(graph: ir.Graph, regions: Regions) -> list[ir.Value]:
    """Every tensor that gets a QuantizeLinear, in graph order."""
    wanted = {value for unit in regions.units for value in unit.computed()}
    for unit in regions.units:
        if unit.rule.output == "always":
            wanted.update(unit.outputs)
    order = [*graph.inputs, *(value for node in graph for value in node.outputs)]
    return [value for value in order if value in wanted]

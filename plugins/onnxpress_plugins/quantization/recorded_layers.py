"""What the entries of an AMCT record mean in a model: which node, which input of it, and whether the numbers fit.

A key is the name of a layer in the graph that the user gave, or ``"name:index"`` for one input of any other node.
Every entry must fit: one that names nothing, or has another number of scales than the layer has channels, belongs to
another model, and is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import onnx_ir as ir

from onnxpress.ascend.record_files import LayerRecord
from onnxpress.constants import constant
from onnxpress.errors import InvalidOption
from onnxpress.kinds import SOURCE_NAME_KEY, Target
from onnxpress.naming import described
from onnxpress_plugins.quantization.eligibility import Unit, added_bias, obstacle


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """An entry and its place.

    Attributes:
        key: Its key.
        record: Its numbers; ``scale_d`` is there.
        node: The node that reads the tensor.
        index: Which input of the node is quantised.
        unit: The layer, None where only a tensor is quantised.
    """

    key: str
    record: LayerRecord
    node: ir.Node
    index: int = 0
    unit: Unit | None = None

    @property
    def step(self) -> float:
        """`record.scale_d`, of an entry that has one."""
        assert self.record.scale_d is not None
        return self.record.scale_d


class RecordedModel:
    """A model with a record for it.

    Args:
        model: A float model with types inferred, with its BatchNormalizations folded as the record asks.
        target: What its layers run on.
        path: The record's file, for errors.
    """

    def __init__(self, model: ir.Model, target: Target, path: Path) -> None:
        self._graph = model.graph
        self._target = target
        self._path = path
        nodes = list(model.graph.all_nodes())
        self._nodes = {node.name: node for node in nodes if node.name}
        self._nodes |= {node.meta[SOURCE_NAME_KEY]: node for node in nodes if SOURCE_NAME_KEY in node.meta}
        self._order = {node: place for place, node in enumerate(model.graph)}

    def unfolded(self, records: Mapping[str, LayerRecord]) -> list[str]:
        """The layers into which nothing may be folded, by name; every key is looked up.

        Raises:
            InvalidOption: One does not name a node of the main graph.
        """
        names = {key: self._place(key)[0].name or "" for key in records}
        return [names[key] for key, record in records.items() if record.skip_fusion]

    def find(self, records: Mapping[str, LayerRecord]) -> list[Recorded]:
        """The entries that quantise something, in the order of the graph.

        Raises:
            InvalidOption: An entry does not fit the model; the message names it.
        """
        found = [self._recorded(key, record) for key, record in records.items() if record.scale_d is not None]
        taken: dict[tuple[ir.Node, int], str] = {}
        for entry in found:
            other = taken.setdefault((entry.node, entry.index), entry.key)
            if other != entry.key:
                self._fail(entry.key, f"it quantises the same input as {other!r}; keep one of them")
        return sorted(found, key=lambda entry: (self._order[entry.node], entry.index))

    def _place(self, key: str) -> tuple[ir.Node, int | None]:
        name, colon, index = key.rpartition(":")
        node, place = self._nodes.get(key), None
        if node is None and colon and index.isdecimal():
            node, place = self._nodes.get(name), int(index)
        if node is None:
            near = difflib.get_close_matches(key, self._nodes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`onnxpress inspect --nodes` lists them"
            self._fail(key, f"no node has that name; {hint}")
        if node.graph is not self._graph:
            self._fail(key, f"{described(node)} is inside a subgraph, and only the main graph is quantised")
        return node, place

    def _recorded(self, key: str, record: LayerRecord) -> Recorded:
        node, index = self._place(key)
        if index is None:
            return Recorded(key=key, record=record, node=node, unit=self._unit(key, record, node))
        if record.scale_w or record.balance:
            self._fail(key, "a single input has neither scale_w nor tensor_balance_factor")
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None:
            self._fail(key, f"{described(node)} has no input {index}")
        if constant(value) is not None or value.dtype != ir.DataType.FLOAT:
            self._fail(key, f"input {index} of {described(node)} is no computed float32 tensor")
        return Recorded(key=key, record=record, node=node, index=index)

    def _unit(self, key: str, record: LayerRecord, node: ir.Node) -> Unit:
        rule = None if node.domain else self._target.rule(node.op_type)
        if rule is None or rule.role(0) != "activation":
            self._fail(
                key, f"{self._target.name} has no integer kernel for {described(node)}; write '{key}:0' for one input"
            )
        rule = replace(rule, least_channels=0, least_width=0)  # what pays is the record's choice
        unit = Unit(node, rule, added_bias(node, rule))
        reason = obstacle(unit, self._target)
        if reason is not None:
            self._fail(key, f"{described(node)} cannot be quantised: {reason}")
        self._check_numbers(key, record, unit)
        return unit

    def _check_numbers(self, key: str, record: LayerRecord, unit: Unit) -> None:
        if unit.weight is None:
            if set(record.scale_w) - {1.0} or record.balance:
                self._fail(key, f"{described(unit.node)} has no weight, but the entry has scale_w or factors for one")
            return
        outputs, inputs = unit.channels(unit.channel_axis), unit.channels(1 - unit.channel_axis)
        if len(record.scale_w) not in (1, outputs):
            self._fail(key, f"scale_w has {len(record.scale_w)} values, not 1 or {outputs}, the output channels")
        if record.balance and len(record.balance) != inputs:
            self._fail(key, f"tensor_balance_factor has {len(record.balance)} values, not {inputs}, the input channels")
        if len(record.scale_w) > 1 and unit.channel_axis == 1 and unit.groups > 1:
            share = outputs // unit.groups
            if record.scale_w != record.scale_w[:share] * unit.groups:
                self._fail(
                    key, f"the groups of {described(unit.node)} share their scales; scale_w differs between them"
                )

    def _fail(self, key: str, what: str) -> NoReturn:
        raise InvalidOption(f"{self._path}: {key!r}: {what}")

"""Merges that join the branches of a condition become an If, or a Case.

    y = Merge(no, yes),    where all that `no` takes comes through Switch(x, p):0, and all that `yes` takes through
                           Switch(x, p):1, or hangs on the condition by a control edge, as a constant does
    y = If(p, x ..., then = yes, else = no)

and likewise a Case of what goes through the outputs of a _SwitchN.  Merges of one condition become one node, unless one
depends on another.  Source: ``lower_if_op.cc``, ``lower_case_op.cc`` and ``control_flow_ops.py`` of TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnxpress_frontends.mapping.raising.regions import (
    FRAMES,
    Argument,
    Region,
    Unraisable,
    add_function,
    data,
    is_stateful,
    placeholders,
    region,
)
from onnxpress_frontends.opening.graphs.names import unique_name
from onnxpress_frontends.reachability import source_of

_SWITCHES = ("Switch", "_SwitchN")
_BOOL = 10
"""TensorFlow's ``DataType``."""


@dataclass(frozen=True)
class Joint:
    """A Merge that joins the branches of a condition.

    Attributes:
        merge: The node.
        predicate: The condition, a truth value or a number.
        sides: The tensor that it takes for each outcome of the condition.
    """

    merge: Any
    predicate: str
    sides: tuple[str, ...]


def raise_branch(graph: Any) -> bool:
    """Replace the Merges of one condition in a `GraphDef` by one node; returns whether there was one.

    Raises:
        Unraisable: An operator in a branch is not known.
    """
    joining = _Joining(graph)
    ready = [joint for joint in joining.joints if joining.regions([joint]) is not None]
    inner = {name for joint in joining.joints if joint not in ready for name in joining.merges_inside(joint)}
    ready.sort(key=lambda joint: joint.merge.name not in inner)  # inner ones first, else in the order of the graph
    together: list[Joint] = []
    for joint in ready:
        if joint.predicate == ready[0].predicate and not any(joining.depend(joint, other) for other in together):
            together.append(joint)
    if together:
        joining.replace(together)
    return bool(together)


class _Joining:
    """The Merges of a graph that join branches.

    Attributes:
        joints: They, in the order of the graph, as far as it is certain what they join.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.node}
        self._switches: dict[str, list[Any]] = {}
        for node in graph.node:
            if node.op in _SWITCHES:
                self._switches.setdefault(data(node)[1], []).append(node)
        merges = [node for node in graph.node if node.op == "Merge"]
        self.joints = [joint for merge in merges if (joint := self._joint(merge)) is not None]

    def _joint(self, merge: Any) -> Joint | None:
        """What a Merge joins; None if it is that of a loop, or the condition is not certain."""
        taken = data(merge)
        if any(self._nodes[source_of(name)].op == "NextIteration" for name in taken):
            return None
        found = [self._switched(name) for name in taken]
        predicates = {predicate for side in found for predicate, _ in side}
        if len(predicates) != 1 or any(len(side) > 1 for side in found):
            return None
        (predicate,) = predicates
        number = self._switches[predicate][0].attr["num_outs"].i or 2
        unknown = sorted(set(range(number)) - {outcome for side in found for _, outcome in side})
        if len(unknown) != sum(not side for side in found) or len(unknown) > 1:
            return None
        sides = {min(side)[1] if side else unknown[0]: name for side, name in zip(found, taken, strict=True)}
        if not len(sides) == len(taken) == number:
            return None
        return Joint(merge, predicate, tuple(sides[outcome] for outcome in range(number)))

    def _switched(self, tensor: str) -> set[tuple[str, int]]:
        """The conditions, and their outcomes, that a tensor is there for."""
        pending, seen, found = [tensor], set[str](), set[tuple[str, int]]()
        while pending:
            name = pending.pop()
            node = self._nodes[source_of(name)]
            if node.op in _SWITCHES:
                predicate = data(node)[1]
                if self._nodes[source_of(predicate)].op != "LoopCond" and not name.startswith("^"):
                    found.add((predicate, int(name.partition(":")[2] or 0)))
            elif node.name not in seen and node.op not in ("Enter", "LoopCond", "NextIteration"):
                seen.add(node.name)
                pending += node.input
        return found

    def regions(self, joints: list[Joint]) -> list[Region] | None:
        """What the branches of joints are computed from; None if other control flow is in the way."""
        switches = self._switches[joints[0].predicate]
        regions = []
        try:
            for outcome in range(len(joints[0].sides)):
                edges = {_output(switch, outcome) for switch in switches}
                regions.append(region(self._nodes, [joint.sides[outcome] for joint in joints], edges))
        except Unraisable:
            return None
        return regions

    def merges_inside(self, joint: Joint) -> set[str]:
        """The Merges in the branches of a joint that are next to it."""
        pending, seen, found = list(joint.sides), set[str](), set[str]()
        while pending:
            node = self._nodes[source_of(pending.pop())]
            if node.op == "Merge":
                found.add(node.name)
            elif node.name not in seen and node.op not in FRAMES:
                seen.add(node.name)
                pending += data(node)
        return found

    def depend(self, one: Joint, other: Joint) -> bool:
        """Whether one of two joints depends on the other, in one and the same step of a loop."""
        return other.merge.name in self._behind(one.merge) or one.merge.name in self._behind(other.merge)

    def _behind(self, merge: Any) -> set[str]:
        pending, seen = data(merge), set[str]()
        while pending:
            name = source_of(pending.pop())
            if name not in seen and self._nodes[name].op != "NextIteration":
                seen.add(name)
                pending += data(self._nodes[name])
        return seen

    def replace(self, joints: list[Joint]) -> None:
        """Put one node in the place of joints of one condition."""
        regions, switches = self.regions(joints), self._switches[joints[0].predicate]
        assert regions is not None
        used = frozenset[str]().union(*(each.edges for each in regions))
        passed = ((switch, frozenset(_output(switch, index) for index in range(len(regions)))) for switch in switches)
        arguments = [Argument(inside, data(node)[0], node.attr["T"].type) for node, inside in passed if inside & used]
        arguments += placeholders(self._nodes, used)
        types = [joint.merge.attr["T"].type for joint in joints]
        name = unique_name(f"{joints[0].merge.name}/If", self._nodes)
        functions = []
        for outcome, branch in enumerate(regions):
            results = [(joint.sides[outcome], kind) for joint, kind in zip(joints, types, strict=True)]
            functions.append(add_function(self._graph, f"{name}_{outcome}", arguments, branch, results))
        inputs = [joints[0].predicate, *(argument.outside for argument in arguments)]
        choice = self._graph.node.add(name=name, input=inputs)
        choice.attr["Tin"].list.type.extend(argument.type for argument in arguments)
        choice.attr["Tout"].list.type.extend(types)
        _call(choice, functions, is_case=switches[0].op == "_SwitchN")
        for index, joint in enumerate(joints):
            joint.merge.op = "Identity"
            joint.merge.attr.pop("N", None)
            joint.merge.input[:] = [f"{name}:{index}" if index else name]


def _output(switch: Any, outcome: int) -> str:
    return f"{switch.name}:{outcome}" if outcome else str(switch.name)


def _call(choice: Any, functions: list[Any], *, is_case: bool) -> None:
    """Let a node choose from functions, one for each outcome."""
    choice.op = ("" if is_stateful(functions) else "Stateless") + ("Case" if is_case else "If")
    if is_case:
        for function in functions:
            choice.attr["branches"].list.func.add(name=function.signature.name)
        return
    choice.attr["Tcond"].type = _BOOL
    for key, function in zip(("else_branch", "then_branch"), functions, strict=True):
        choice.attr[key].func.name = function.signature.name

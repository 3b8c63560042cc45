"""Replace many small nodes by the one operator they amount to.

A pass finds matches: nodes whose result is that of one operator.  Here is decided which of them are replaced, and it
is done.  A match is left alone where a value inside it is seen from outside: it is an output of the graph, or a node
that stays uses it.  What several matches share (TensorFlow computes the moments of a tensor once for two
normalisations of it) is inside if all of them are replaced.  The model is raised to the operator's opset only when
there is something to replace.  For a target that avoids the operator nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxpress import opset
from onnxpress.constants import constant, remove
from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import Target
from onnxpress.naming import Names, described
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses
from onnxpress.verify import infer_shapes


@dataclass(frozen=True, eq=False)
class Match:
    """Nodes that one operator can replace.

    Attributes:
        result: What the operator will give.
        nodes: All that compute it, in topological order.
        replacement: Makes the new nodes, in order; the last one gives the result.
    """

    result: ir.Value
    nodes: tuple[ir.Node, ...]
    replacement: Callable[[Names], Sequence[ir.Node]]


class Fuse(ir.passes.InPlacePass):
    """The pass.

    Args:
        find: Gives the matches of one graph, in topological order, and notes why candidates are none.  What is inside
            two matches is the result of neither.
        into: The operator.
        version: The opset that has it.
        target: What the model is for.
        notes: Where to say what was done.
    """

    def __init__(
        self,
        find: Callable[[ir.Graph, Notes], Sequence[Match]],
        *,
        into: str,
        version: int,
        target: Target,
        notes: Notes,
    ) -> None:
        super().__init__()
        self._find, self._into, self._version, self._notes = find, into, version, notes
        self._avoiding = target.name if into in target.avoided else None

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace what can be replaced, in the graph and its subgraphs, and say why the rest cannot."""
        matches = self._matches(model, self._notes)
        raised = bool(matches) and self._raise(model, matches)
        if raised:
            matches = self._matches(model, Notes())
        names = Names(model)
        for match in reversed(matches):  # the source of one may be the result of another, which then changes with it
            _replace(match, names)
        self._notes.count(f"{self._into} made of small operators", len(matches))
        return ir.passes.PassResult(model, modified=raised or bool(matches))

    def _matches(self, model: ir.Model, notes: Notes) -> list[Match]:
        matches = [match for graph in model.graphs() for match in _closed(self._find(graph, notes), notes)]
        if self._avoiding is None:
            return matches
        for match in matches:
            notes.decline(match.nodes[-1], f"what reads models for {self._avoiding} may not know {self._into}")
        return []

    def _raise(self, model: ir.Model, matches: list[Match]) -> bool:
        """Whether the model was raised, and its nodes are others now; if it cannot be, no match is left."""
        try:
            raised = opset.at_least(model, self._version)
        except UnsupportedModel as obstacle:
            for match in matches:
                self._notes.decline(match.nodes[-1], f"{self._into} is of opset {self._version}, and {obstacle}")
            matches.clear()
            return False
        if raised:
            infer_shapes(model)
        return raised


def between(sources: Collection[ir.Value], result: ir.Value) -> tuple[ir.Node, ...]:
    """The nodes that compute `result` from `sources` and constants alone, in topological order."""
    nodes: dict[ir.Node, None] = {}

    def visit(value: ir.Value | None) -> None:
        node = None if value is None or value in sources or constant(value) is not None else value.producer()
        if node is not None and node not in nodes:
            for operand in node.inputs:
                visit(operand)
            nodes[node] = None

    visit(result)
    return tuple(nodes)


def keeps_shape(source: ir.Value, result: ir.Value) -> bool:
    """Whether `result`, computed of `source` and constants, has its shape; constants of more axes or sizes widen it."""
    if source.shape is None or result.shape is None or len(source.shape) != len(result.shape):
        return False
    pairs = [(one, other) for one, other in zip(source.shape, result.shape, strict=True) if one != other]
    return not any(isinstance(one, int) or isinstance(other, int) for one, other in pairs)


def _closed(matches: Sequence[Match], notes: Notes) -> list[Match]:
    """The matches inside which nothing is seen from outside."""
    left = list(matches)
    while True:
        inside = {node for match in left for node in match.nodes}
        open_ones = {match: seen for match in left if (seen := _seen(match, inside)) is not None}
        if not open_ones:
            return left
        for match, node in open_ones.items():
            notes.decline(match.nodes[-1], f"the result of {described(node)}, inside it, is used elsewhere too")
        left = [match for match in left if match not in open_ones]


def _seen(match: Match, inside: set[ir.Node]) -> ir.Node | None:
    """A node of `match` whose result is seen from outside."""
    for node in match.nodes:
        values = [value for value in node.outputs if value is not match.result]
        if any(value.is_graph_output() or any(use.node not in inside for use in value.uses()) for value in values):
            return node
    return None


def _replace(match: Match, names: Names) -> None:
    old = match.nodes[-1]
    assert old.graph is not None
    made = list(match.replacement(names))
    result, name = made[-1].outputs[0], match.result.name
    result.type, result.shape = match.result.type, match.result.shape
    result.meta.update(match.result.meta)
    old.graph.insert_before(old, made)
    replace_uses(match.result, result)
    for node in reversed(match.nodes):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            remove([node])
    made[-1].name, result.name = old.name, name

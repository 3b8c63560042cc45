"""Let operands be broadcast where they are needed, instead of writing them out before.

    Expand(a, s) + b = a + b    wherever b has the sizes that Expand repeats a for

and so behind any operators that work number by number, up to those where another operand has the full shape.  Causal
masks are made this way in Keras: ``And(Expand(True, Shape(scores)), mask)``, then ``Mul`` with the scores.  Without the
Expand their shape is known before the run, and so are then the masks.  An Expand that something else sees, a Concat or
an output, say, stays.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.constants import remove
from onnxpress.records import Notes
from onnxpress_plugins.cleaning.output_shapes import broadcast
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts
from onnxpress_plugins.elementwise import is_elementwise


class BroadcastLate(ir.passes.InPlacePass):
    """Removes every Expand whose work is done by broadcasting further on."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep over the graph and its subgraphs."""
        modified = False
        for graph in model.graphs():
            nodes = list(graph)
            for place, node in enumerate(nodes):
                if node.op_type == "Expand" and node.domain == "":
                    modified |= self._remove(node, nodes[place + 1 :])
        return ir.passes.PassResult(model, modified)

    def _remove(self, expand: ir.Node, following: list[ir.Node]) -> bool:
        narrower = _narrower(expand, following)
        source = expand.inputs[0]
        if narrower is None or source is None:
            return False
        expand.outputs[0].replace_all_uses_with(source)
        remove([expand])
        for value in narrower:
            value.shape = None  # it has fewer numbers now
        self.notes.count("Expand left to broadcasting")
        return True


def _narrower(expand: ir.Node, following: list[ir.Node]) -> list[ir.Value] | None:
    """The values that have fewer elements without `expand`; None if something sees that."""
    facts, output = ShapeFacts(), expand.outputs[0]
    source = facts.shape(expand.inputs[0])
    if source is None:
        return None
    shapes: dict[ir.Value, Contents] = {output: [*source]}
    for node in following:
        if not any(value in shapes for value in node.inputs):
            continue
        full, operands = facts.shape(node.outputs[0]), [_shape(value, shapes, facts) for value in node.inputs]
        if not is_elementwise(node) or full is None:
            return None
        known = [shape for shape in operands if shape is not None]
        shape = broadcast(known)
        if len(known) < len(operands) or None in shape:
            return None
        if shape != full:
            shapes[node.outputs[0]] = shape
    seen = [value for value in shapes if value.is_graph_output() or not _stays_in(value, expand.graph)]
    return None if seen else list(shapes)


def _stays_in(value: ir.Value, graph: ir.Graph | ir.Function | None) -> bool:
    return all(use.node.graph is graph for use in value.uses())


def _shape(value: ir.Value | None, shapes: dict[ir.Value, Contents], facts: ShapeFacts) -> Contents | None:
    if value in shapes:
        return shapes[value]
    sizes = facts.shape(value)
    return None if sizes is None else [*sizes]

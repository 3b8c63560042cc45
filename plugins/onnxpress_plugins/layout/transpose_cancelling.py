"""Transpose as little as possible.

Networks from TensorFlow have channels last, ONNX has them first, and converters write a Transpose wherever the two
meet.  Most operators do not care in which order the axes of their data are (`commuting`), so that every part of a graph
between those that do may have either: the orders are chosen so that the fewest bytes are transposed (`network`,
`expansion`), and the graph is written in them (`rewriting`).  Transposes that undo each other disappear, equal ones are
one, and a Transpose that moves axes of size one alone becomes a Reshape, or nothing.  One in front of a Flatten goes
into the weights behind it (`flattening`).

What is left stands where something is fixed on both sides: at inputs and outputs, which keep their shape, and between
operators that each ask for an order of their own, as LayerNormalization and a convolution do.  A model before opset 13
is raised to it where that cancels something.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.kinds import Context, Pass
from onnxpress.naming import Names, described
from onnxpress.opset import at_least
from onnxpress.records import Notes
from onnxpress.verify import verify
from onnxpress_plugins.layout.arrangement import essence
from onnxpress_plugins.layout.expansion import settle
from onnxpress_plugins.layout.flattening import absorb_transposes
from onnxpress_plugins.layout.network import Network, Use
from onnxpress_plugins.layout.proposals import maker, reader
from onnxpress_plugins.layout.rewriting import Rewriting

OPSET = 13
"""The first in which Softmax has one axis, and Squeeze takes its axes as an input."""


class CancelTransposes(ir.passes.InPlacePass):
    """Chooses the order of axes in every graph of the model."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Each graph by itself: what a subgraph takes from around it keeps its order."""
        before = _transposes(model)
        raised = self._raised(model) if before else None
        if raised is None:
            return ir.passes.PassResult(model, False)
        names = Names(raised)
        graphs = list(raised.graphs())
        modified = [self._arrange(Network(graph), names) for graph in graphs]
        modified += [bool(absorb_transposes(graph, names)) for graph in graphs]
        if any(modified):
            model.graph = raised.graph
        self._notes.count("Transpose cancelled", before - _transposes(model))
        return ir.passes.PassResult(model, any(modified))

    def _raised(self, model: ir.Model) -> ir.Model | None:
        """`model`, or a copy at the opset that this takes; None where ONNX does not raise it to a valid model."""
        if model.opset_imports.get("", OPSET) >= OPSET:
            return model
        copy = model.clone()
        try:
            at_least(copy, OPSET)
            verify(copy)
        except (UnsupportedModel, InvalidModel) as error:
            for node in model.graph.all_nodes():
                if node.op_type == "Transpose":
                    self._notes.decline(node, str(error))
            return None
        return copy

    def _arrange(self, network: Network, names: Names) -> bool:
        settle(network)
        reasons = {use: _reason(network, use) for use in network.mismatches() if _moves(network, use)}
        rewriting = Rewriting(network, names)
        modified = rewriting.write()
        left = {_transpose(rewriting.demanded[use]): reason for use, reason in reversed(reasons.items())}
        for node in network.graph:
            if node in left:
                self._notes.decline(node, left[node])
        return modified


def _moves(network: Network, use: Use) -> bool:
    stored, demanded = network.stored(use.seen.origin, network.orders), network.demanded(use, network.orders)
    return essence(stored) != essence(demanded)


def _reason(network: Network, use: Use) -> str:
    """Why there is a Transpose before `use`."""
    value, node = use.seen.origin, use.node
    made = value.producer()
    giver = f"input {value.name!r}" if made is None else described(made)
    taker = f"output {network.graph.outputs[use.index].name!r}" if node is None else described(node)
    gives = maker(network, value, network.demanded(use, network.orders)) is None
    takes = reader(network, use, network.stored(value, network.orders)) is None
    if gives and takes:
        return f"{giver} has its axes in one order and {taker} in another"
    return f"beyond {giver if takes else taker} no less would be transposed"


def _transpose(value: ir.Value) -> ir.Node | None:
    """The Transpose by which `value` was made, last but for axes of size one."""
    node = value.producer()
    while node is not None and node.op_type != "Transpose" and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node


def _transposes(model: ir.Model) -> int:
    return sum(node.op_type == "Transpose" for node in model.graph.all_nodes())


def _build(context: Context) -> ir.passes.PassBase:
    return CancelTransposes(context.notes)


CANCEL_TRANSPOSES = Pass(
    name="cancel-transposes",
    summary="Choose the order of axes in every part of the graph so that the least is transposed",
    build=_build,
)

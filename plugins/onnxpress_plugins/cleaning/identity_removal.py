"""Remove nodes that hand their input on unchanged, and merge Transposes that follow each other.

| operator                                       | hands its input on when                           |
|------------------------------------------------|---------------------------------------------------|
| Identity                                       | always                                            |
| Dropout                                        | in inference, and nobody reads the mask           |
| Cast, CastLike                                 | the type is that of the input                     |
| Reshape, Flatten, Squeeze, Unsqueeze           | the shape is again what it was, here or further   |
|                                                | up a chain of them                                |
| Expand                                         | the shape is that of the input                    |
| Transpose                                      | the order is 0, 1, 2 ...                          |
| Pad                                            | nothing is padded                                 |
| Concat, Sum, Max, Min, Mean                    | there is no other input                           |

The shape is that of the input if every size is; where elements are only moved about, one size may be unknown, for the
number of elements decides it.  A node that connects an input of the graph, or an initialiser, to an output stays: both
names must exist.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, remove
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses


class RemoveIdentities(ir.passes.InPlacePass):
    """Removes every node that changes nothing."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep over the graph and its subgraphs."""
        modified = False
        for graph in model.graphs():
            for node in graph:
                if _merge_transposes(node):
                    self.notes.count("Transpose merged into the next")
                    modified = True
                value = _handed_on(node)
                if value is not None and _bypass(node, value):
                    self.notes.count(f"{node.op_type} without effect removed")
                    modified = True
        return ir.passes.PassResult(model, modified)


def _handed_on(node: ir.Node) -> ir.Value | None:
    """The value that `node` gives again, None if it changes something."""
    value = node.inputs[0] if node.domain == "" and node.inputs else None
    if value is None or any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return None
    if node.op_type in _CHECKS:
        return value if _CHECKS[node.op_type](node, value) else None
    maker: ir.Node | None = node
    while maker is not None and maker.op_type in _RESHAPES and maker.domain == "":
        value = maker.inputs[0]
        if value is None or _unsure_sizes(node, value) in (0, 1):
            return value
        maker = value.producer()
    return None


def _bypass(node: ir.Node, value: ir.Value) -> bool:
    """Connect the users of the node's output to `value`."""
    output = node.outputs[0]
    if not replace_uses(output, value):
        return False
    value.shape, value.type = value.shape or output.shape, value.type or output.type
    remove([node])
    return True


def _merge_transposes(node: ir.Node) -> bool:
    """Let a Transpose of a Transpose take the first one's input, in the order that both give together."""
    value = node.inputs[0] if _is_transpose(node) else None
    first = None if value is None else value.producer()
    if first is None or not _is_transpose(first) or first.inputs[0] is None:
        return False
    order, inner = node.attributes.get_ints("perm"), first.attributes.get_ints("perm")
    if order is None or inner is None:
        return False
    node.attributes.add(ir.AttrInt64s("perm", [inner[axis] for axis in order]))
    node.replace_input_with(0, first.inputs[0])
    if not first.outputs[0].uses() and not first.outputs[0].is_graph_output():
        remove([first])
    return True


def _is_transpose(node: ir.Node) -> bool:
    return node.op_type == "Transpose" and node.domain == ""


def _is_inference(node: ir.Node, value: ir.Value) -> bool:
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    training = np.array(False) if mode is None else array(mode)
    return training is not None and not training.any()


def _keeps_type(node: ir.Node, value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype == node.outputs[0].dtype


def _unsure_sizes(node: ir.Node, value: ir.Value) -> int | None:
    """How many sizes are not known to be the input's; None if the shape is surely another."""
    before, after = value.shape, node.outputs[0].shape
    if before is None or after is None or len(before) != len(after):
        return None
    pairs = [(one, other) for one, other in zip(before, after, strict=True) if one != other or one in (0, None)]
    different = any(isinstance(one, int) and isinstance(other, int) and one != other for one, other in pairs)
    return None if different else len(pairs)


def _keeps_order(node: ir.Node, value: ir.Value) -> bool:
    order = node.attributes.get_ints("perm")
    return order is not None and list(order) == list(range(len(order)))


def _pads_nothing(node: ir.Node, value: ir.Value) -> bool:
    pads = array(node.inputs[1]) if len(node.inputs) > 1 else None
    return pads is not None and not pads.any()


def _has_one_input(node: ir.Node, value: ir.Value) -> bool:
    return len(node.inputs) == 1


_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_CHECKS: dict[str, Callable[[ir.Node, ir.Value], bool]] = {
    "Identity": lambda node, value: True,
    "Dropout": _is_inference,
    **dict.fromkeys(("Cast", "CastLike"), _keeps_type),
    "Expand": lambda node, value: _unsure_sizes(node, value) == 0,
    "Transpose": _keeps_order,
    "Pad": _pads_nothing,
    **dict.fromkeys(("Concat", "Sum", "Max", "Min", "Mean"), _has_one_input),
}

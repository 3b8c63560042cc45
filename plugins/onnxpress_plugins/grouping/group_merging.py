"""Merge convolutions over parts of the channels into one grouped convolution.

Before TensorFlow had grouped convolutions, networks like AlexNet (Krizhevsky et al. 2012) were written with a Split,
a convolution for every part, and a Concat:

    Concat(Conv(x1, W1), ..., Conv(xn, Wn)) = Conv(x, [W1; ...; Wn], group = g1 + ... + gn)    where x = [x1; ...; xn]

if all have the same kernel size, strides, pads and dilations, and the same number of input and of output channels in
each of their gi groups; Wi, and the biases, if any, are constant.  What stands between Split (or Slices that take one
part after the other) and the convolutions, or between these and the Concat, and treats every channel by itself
(`channel_axes`), stays, once instead of n times: Transpose, activations, pooling, arithmetic with constants, which are
put side by side where they differ.

Merging is declined where some other node, or the user, wants one of the values that would no longer exist.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.constants import constant, remove
from onnxpress.kinds import Context, Pass
from onnxpress.naming import Names
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.branch_joining import Branches
from onnxpress_plugins.grouping.channel_axes import keeps_channels
from onnxpress_plugins.grouping.channel_parts import is_cut


class MergeGroupConv(ir.passes.InPlacePass):
    """Merges the branches of every Concat that are convolutions of the parts of one tensor."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep over the graph and its subgraphs."""
        names = Names(model)
        modified = False
        for graph in model.graphs():
            for node in graph:
                if _is_candidate(node):
                    modified |= self._merge(node, names)
        return ir.passes.PassResult(model, modified)

    def _merge(self, concat: ir.Node, names: Names) -> bool:
        output, parts = concat.outputs[0], tuple(concat.inputs)
        branches = Branches(concat.graph)
        axis = concat.attributes.get_int("axis", 0)
        try:
            if axis < 0 and output.shape is None:
                raise Obstacle(f"the rank of {output.name!r} is unknown")
            merged = branches.join(parts, axis if axis >= 0 else axis + len(output.shape or ()))
            branches.check(concat)
        except Obstacle as obstacle:
            self.notes.decline(concat, str(obstacle))
            return False
        branches.merge(names)
        name, meta = output.name, output.meta
        replace_uses(output, merged)
        remove([concat, *branches.superseded])
        merged.name = name  # the tensor that had this name has it still, and its measured range
        merged.meta.update(meta)
        self.notes.count("convolutions merged into grouped ones", sum(map(_is_convolution, branches.nodes)))
        return True


def _is_candidate(node: ir.Node) -> bool:
    """Whether `node` is a Concat of branches that are convolutions of parts, be it of one tensor or of several."""
    if node.op_type != "Concat" or node.domain != "" or len(node.inputs) < 2:
        return False
    makers = [_origin(value) for value in node.inputs]
    depth = 0
    while all(map(_is_convolution, makers)):
        makers = [_origin(maker.inputs[0]) if maker is not None else None for maker in makers]
        depth += 1
    return depth > 0 and all(map(is_cut, makers))


def _is_convolution(node: ir.Node | None) -> bool:
    return node is not None and node.op_type == "Conv" and node.domain == ""


def _origin(value: ir.Value | None) -> ir.Node | None:
    """The first node upstream that is more than something done to every channel by itself."""
    node = None if value is None else value.producer()
    while node is not None and keeps_channels(node):
        computed = [operand for operand in node.inputs if operand is not None and constant(operand) is None]
        node = computed[0].producer() if computed else None
    return node


def _build(context: Context) -> ir.passes.PassBase:
    return MergeGroupConv(context.notes)


MERGE_GROUP_CONV = Pass(
    name="merge-group-conv",
    summary="Merge convolutions of the parts of a Split into one grouped convolution",
    build=_build,
)

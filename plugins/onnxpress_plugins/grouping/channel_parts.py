"""Values that are the parts of one tensor, cut along an axis: the outputs of a Split, or Slices one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxpress.naming import described
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.slicing import bounds, takes_all


def is_cut(node: ir.Node | None) -> bool:
    """Whether `node` makes parts of a tensor."""
    return node is not None and node.domain == "" and node.op_type in ("Split", "Slice")


def source(parts: Sequence[ir.Value], axis: int) -> ir.Value | None:
    """The tensor that `parts` are all of, in order along `axis`; None if not all of them are parts of something.

    Raises:
        Obstacle: They are, but not of one tensor, or not all of it, or in another order, or along another axis.
    """
    makers = [node for part in parts if (node := part.producer()) is not None and is_cut(node)]
    if len(makers) < len(parts):
        return None
    whole = makers[0].inputs[0]
    if whole is None or any(maker.inputs[0] is not whole for maker in makers):
        raise Obstacle(f"{described(makers[0])} and {described(makers[-1])} do not cut the same tensor")
    if not (_are_outputs(parts, makers, axis) or _follow_each_other(makers, whole, axis)):
        raise Obstacle(f"the branches do not take all of {whole.name!r}, in order, along axis {axis}")
    return whole


def _are_outputs(parts: Sequence[ir.Value], makers: Sequence[ir.Node], axis: int) -> bool:
    """Whether `parts` are all that one Split gives."""
    split, rank = makers[0], len(parts[0].shape or ())
    along = split.attributes.get_int("axis", 0)
    return split.op_type == "Split" and (along + rank if along < 0 else along) == axis and [*parts] == [*split.outputs]


def _follow_each_other(slices: Sequence[ir.Node], whole: ir.Value, axis: int) -> bool:
    """Whether each of `slices` begins where the one before ends, and they begin and end where `whole` does."""
    if whole.shape is None or any(node.op_type != "Slice" for node in slices):
        return False
    sizes = [size if isinstance(size, int) else None for size in whole.shape]
    size, end = sizes[axis], 0
    for node in slices:
        taken = bounds(node, len(sizes)) or {}
        start, stop, step = taken.pop(axis, (0, 0, 0))
        if size is None or step != 1 or not all(takes_all(each, sizes[place]) for place, each in taken.items()):
            return False
        begin, stop, _ = slice(start, stop).indices(size)
        if begin != end:
            return False
        end = stop
    return end == size

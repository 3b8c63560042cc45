"""Fold zero padding into the convolution or pooling behind it.

    Conv(Pad(x, p), pads=q) = Conv(x, pads=p + q)

because a convolution's own padding is zeros too.  MaxPool pads with minus infinity instead, so that its case is

    MaxPool(Pad(x, p)) = MaxPool(x, pads=p)    where x >= 0 and every window holds a number of x (p < kernel)

since a zero then never beats what is in the window: Pad behind a Relu, as in Keras' ResNet.  Keras writes its padding
as a node of its own wherever a stride is 2; as part of the convolution it costs nothing, and no float node parts the
integers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant, remove
from onnxpress.kinds import Context, Pass
from onnxpress.records import Notes
from onnxpress_plugins.signs import never_negative


class FoldPadding(ir.passes.InPlacePass):
    """Moves Pad nodes into the nodes behind them, in every graph of the model."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold what can be folded, and say why the rest cannot."""
        modified = False
        for node in list(model.graph.all_nodes()):
            if node.op_type == "Pad" and not node.domain:
                modified |= self._fold(node)
        return ir.passes.PassResult(model, modified)

    def _fold(self, pad: ir.Node) -> bool:
        source, padded = pad.inputs[0], pad.outputs[0]
        pads = _spatial_zeros(pad)
        if pads is None:
            self._notes.decline(pad, "it is not constant zero padding of the spatial axes alone")
            return False
        users = [use.node for use in padded.uses()]
        reasons = [_obstacle(pad, user, pads) for user in users]
        for user, reason in zip(users, reasons, strict=True):
            if reason is None:
                _add(user, pads)
                user.replace_input_with(0, source)
                self._notes.count(f"Pad folded into {user.op_type}")
        left = "it is an output of the graph" if padded.is_graph_output() else next(filter(None, reasons), None)
        if left is None and users:
            remove([pad])
        elif left is not None:
            self._notes.decline(pad, left)
        return None in reasons


def _spatial_zeros(pad: ir.Node) -> list[int] | None:
    """What a Pad adds before and behind every spatial axis, as Conv's ``pads``; None when it does more than that."""
    pads = array(pad.inputs[1]) if len(pad.inputs) > 1 else None
    fill = pad.inputs[2] if len(pad.inputs) > 2 else None
    axes = pad.inputs[3] if len(pad.inputs) > 3 else None
    zero = fill is None or (constant(fill) is not None and not np.any(array(fill)))
    if pads is None or axes is not None or not zero or pad.attributes.get_string("mode", "constant") != "constant":
        return None
    before, behind = pads.reshape(2, -1).tolist()
    if len(before) < 3 or any(before[:2] + behind[:2]) or min(before + behind) < 0:
        return None
    return [int(number) for number in before[2:] + behind[2:]]


def _obstacle(pad: ir.Node, user: ir.Node, pads: list[int]) -> str | None:
    if user.domain or user.inputs[0] is not pad.outputs[0] or user.op_type not in ("Conv", "MaxPool"):
        return f"{user.op_type} behind it has no zero padding of its own"
    if user.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return f"{user.op_type} behind it works out its own padding (auto_pad)"
    return None if user.op_type == "Conv" else _max_pool_obstacle(pad, user, pads)


def _max_pool_obstacle(pad: ir.Node, pool: ir.Node, pads: list[int]) -> str | None:
    source, kernel = pad.inputs[0], pool.attributes.get_ints("kernel_shape")
    if len(pool.outputs) > 1 or pool.attributes.get_int("ceil_mode") or any(pool.attributes.get_ints("pads", [0])):
        return "MaxPool behind it gives indices, rounds up, or pads with minus infinity already"
    if kernel is None or any(step != 1 for step in pool.attributes.get_ints("dilations", [1])):
        return "MaxPool behind it is dilated"
    if any(number >= size for number, size in zip(pads, (*kernel, *kernel), strict=True)):
        return "a window of MaxPool behind it would hold padding alone"
    return None if never_negative(source) else "what it pads may be negative, and MaxPool pads with minus infinity"


def _add(node: ir.Node, pads: list[int]) -> None:
    own = node.attributes.get_ints("pads") or [0] * len(pads)
    node.attributes.pop("auto_pad", None)
    node.attributes["pads"] = ir.AttrInt64s("pads", [one + other for one, other in zip(own, pads, strict=True)])


def _build(context: Context) -> ir.passes.PassBase:
    return FoldPadding(context.notes)


FOLD_PADDING = Pass(
    name="fold-padding",
    summary="Make zero padding part of the convolution or pooling behind it",
    build=_build,
)

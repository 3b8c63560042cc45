"""Clip(0, c) becomes Relu where AscendQuant behind it saturates at c or below, as ReLU6 often does.

    q(x) = saturate(rint(x * scale) + offset)          q(c) = 127, so that q(x) = 127 for every x above c

GE fuses AscendDequant, Relu and AscendQuant into one step; it does not fuse Clip.  Source: AMCT's fusion of Relu6 and
AscendQuant (document H(0243)).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import QUANT
from onnxpress_backends.ascend.moving import constant


def relax_clips(model: ir.Model) -> None:
    """Turn every Clip of `model` of which saturation does the work into a Relu, in place."""
    for node in [*model.graph.all_nodes()]:
        if node.op_type != "Clip" or node.domain or len(node.inputs) < 3:
            continue
        low, high = constant(node.inputs[1]), constant(node.inputs[2])
        users = [use.node for use in node.outputs[0].uses()]
        hidden = not node.outputs[0].is_graph_output() and all(user.op_type == QUANT for user in users)
        if low is None or high is None or low != 0 or not hidden:
            continue
        if all(_saturates(user, np.float32(high)) for user in users):
            node.op_type = "Relu"
            node.resize_inputs(1)


def _saturates(quant: ir.Node, high: np.float32) -> bool:
    scale, offset = (quant.attributes[name].as_float() for name in ("scale", "offset"))
    return bool(np.rint(high * np.float32(scale)) + offset >= 127)

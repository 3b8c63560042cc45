"""Compute some nodes of a graph by themselves, in one onnxruntime session.

The session takes the constants as inputs, so that weights are not copied into it, and returns only what nodes outside
the group use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnxpress.constants import array
from onnxpress.runtime import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray


def evaluate(nodes: Sequence[ir.Node], model: ir.Model) -> dict[ir.Value, NDArray[Any]]:
    """The values that leave the group `nodes`, which depends on constants alone and is in topological order.

    Raises:
        InvalidModel: onnxruntime does not implement a node for these types.
        InvalidData: A node cannot be run on these constants.
    """
    inside = set(nodes)
    wanted = [v for node in nodes for v in node.outputs if any(use.node not in inside for use in v.uses())]
    operands = dict.fromkeys(v for node in nodes for v in node.inputs if v is not None and v.producer() not in inside)
    if not wanted:
        return {}
    clones: dict[ir.Value | None, ir.Value | None] = {None: None}
    for value in operands:
        clones[value] = ir.Value(name=value.name, type=value.type, shape=value.shape)
    copies = [_copy(node, clones) for node in nodes]
    graph = ir.Graph(
        [clone for value in operands if (clone := clones[value]) is not None],
        [clone for value in wanted if (clone := clones[value]) is not None],
        nodes=copies,
        opset_imports={"": model.opset_imports[""]},
    )
    feeds = {value.name or "": numbers for value in operands if (numbers := array(value)) is not None}
    results = Session(ir.Model(graph, ir_version=model.ir_version), threads=1).run(feeds)
    return {value: results[value.name or ""] for value in wanted}


def _copy(node: ir.Node, clones: dict[ir.Value | None, ir.Value | None]) -> ir.Node:
    outputs = [ir.Value(name=value.name, type=value.type, shape=value.shape) for value in node.outputs]
    clones.update(zip(node.outputs, outputs, strict=True))
    inputs = [clones[value] for value in node.inputs]
    attributes = [ir.Attr(a.name, a.type, a.value) for a in node.attributes.values()]
    return ir.Node("", node.op_type, inputs, attributes, outputs=outputs, name=node.name)

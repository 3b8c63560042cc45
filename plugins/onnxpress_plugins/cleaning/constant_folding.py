"""Evaluate what does not depend on the model's inputs, and keep the result as an initialiser.

A node is evaluated when all its inputs are constants, its operator is deterministic, and its outputs are no larger than
its inputs or a limit, so that ``Expand`` does not turn twenty bytes into a gigabyte.  QuantizeLinear and
DequantizeLinear stay: they say how a model is quantised.

All nodes of a graph that can be evaluated go into one onnxruntime session (`evaluation`).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, become, constant, remove
from onnxpress.errors import InvalidData, InvalidModel
from onnxpress.records import Notes
from onnxpress_plugins.cleaning.evaluation import evaluate

_KEPT = {
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout"),
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    *("If", "Loop", "Scan", "SequenceMap", "Constant"),
}


class FoldConstants(ir.passes.InPlacePass):
    """Replaces every constant sub-expression by its value.

    Args:
        notes: Where it is counted.
        limit: Bytes up to which a result may be larger than what it is computed from.
    """

    def __init__(self, notes: Notes, *, limit: int) -> None:
        self.notes = notes
        self.limit = limit

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Lift Constant nodes, then evaluate."""
        modified = False
        for graph in model.graphs():
            lifted = sum(_lift(node) for node in graph if node.op_type == "Constant" and node.domain == "")
            folded = self._evaluate(_foldable(graph, self.limit), model)
            self.notes.count("Constant nodes lifted into initialisers", lifted)
            self.notes.count("constant nodes evaluated", folded)
            modified |= bool(lifted or folded)
        return ir.passes.PassResult(model, modified)

    def _evaluate(self, nodes: list[ir.Node], model: ir.Model) -> int:
        if not nodes:
            return 0
        try:
            values = evaluate(nodes, model)
        except (InvalidModel, InvalidData) as error:
            if len(nodes) == 1:
                self.notes.decline(nodes[0], f"it cannot be evaluated: {error}")
                return 0
            return sum(self._evaluate([node], model) for node in nodes if _is_ready(node))
        for value, numbers in values.items():
            become(value, numbers)
        remove(nodes)
        return len(nodes)


def _foldable(graph: ir.Graph, limit: int) -> list[ir.Node]:
    """Nodes to evaluate, in graph order; each may use the results of those before it."""
    nodes: list[ir.Node] = []
    computed: set[ir.Value] = set()
    for node in graph:
        known = all(value is None or value in computed or constant(value) is not None for value in node.inputs)
        if known and _may_fold(node, limit):
            nodes.append(node)
            computed.update(node.outputs)
    return nodes


def _may_fold(node: ir.Node, limit: int) -> bool:
    if node.domain != "" or node.op_type in _KEPT:
        return False
    if any(output.is_graph_output() for output in node.outputs):
        return False
    values = [value for value in (*node.inputs, *node.outputs) if value is not None and value.name]
    if any(not isinstance(value.type, ir.TensorType) or value.dtype == ir.DataType.STRING for value in values):
        return False
    allowed = max(limit, sum(_size(value) or 0 for value in node.inputs if value is not None))
    sizes = [_size(value) for value in node.outputs if value.name]
    return all(size is not None and size <= allowed for size in sizes)


def _size(value: ir.Value) -> int | None:
    """Bytes of a tensor; None when its shape is not known."""
    if value.shape is None or value.dtype is None or not value.shape.is_static():
        return None
    return int(np.prod(value.shape.numpy(), dtype=np.int64) * value.dtype.itemsize)


def _is_ready(node: ir.Node) -> bool:
    return all(value is None or constant(value) is not None for value in node.inputs)


def _lift(node: ir.Node) -> bool:
    output = node.outputs[0]
    numbers = array(output)
    if numbers is None or output.is_graph_output():
        return False
    become(output, numbers)
    remove([node])
    return True

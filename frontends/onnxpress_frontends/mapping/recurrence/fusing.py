"""Loops that are recurrent layers become the LSTM, GRU or RNN node that they are.

A Loop or Scan is one if its step is such a cell (`cells`), its weights are constants, it reads the rows of one
input in order, and makes provably as many steps as the input has rows.  It then is

    Y, Y_h, Y_c = LSTM(X, W, R, B, , h, c)

The input may have met its weights before the loop, all rows at once.  Any other loop stays as it is.  Source: the
definitions of LSTM, GRU and RNN in the ONNX operator set 14.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxpress_frontends.mapping.recurrence import cells
from onnxpress_frontends.mapping.recurrence.algebra import Unmatched
from onnxpress_frontends.mapping.recurrence.bodies import Body
from onnxpress_frontends.mapping.recurrence.cells import Cell
from onnxpress_frontends.mapping.recurrence.loop_structure import LoopStructure, analyse
from onnxpress_frontends.mapping.recurrence.nodes import replace_loop
from onnxpress_frontends.mapping.recurrence.sequence_lengths import scalar, size

_LOOPS = ("Loop", "Scan")


def fuse_recurrent_loops(model: ir.Model) -> list[str]:
    """Replace the loops that are recurrent layers, in place.

    Args:
        model: The model; free of duplicate nodes.

    Returns:
        Of each loop that stays, a line that says why.
    """
    from onnx_ir.passes.common import RemoveUnusedNodesPass, ShapeInferencePass

    pending = [node for node in model.graph.all_nodes() if node.op_type in _LOOPS and not node.domain]
    if not pending:
        return []
    reasons: dict[ir.Node, str] = {}
    while pending:
        ShapeInferencePass(check_type=False, strict_mode=False)(model)  # of what the last round gave
        reasons = {node: reason for node in pending if (reason := _attempt(node)) is not None}
        if len(reasons) == len(pending):
            break
        pending = list(reasons)
    RemoveUnusedNodesPass()(model)
    return [f"{node.op_type} {node.name!r} is no LSTM, GRU or RNN: {reason}" for node, reason in reasons.items()]


def _attempt(node: ir.Node) -> str | None:
    """Replace one loop; if it stays, why."""
    try:
        _fuse(node)
    except Unmatched as reason:
        try:
            _fuse(node, projected=True)
        except Unmatched:
            return str(reason)
    return None


def _fuse(node: ir.Node, *, projected: bool = False) -> None:
    loop = analyse(node)
    body = Body(loop, node.attributes["body"].as_graph(), projected=projected)
    updates = {body.states[carried.variable]: body.affine(carried.update) for carried in loop.states}
    cell = cells.recognise(body.row, updates)
    if body.source is None:
        raise Unmatched("it has no input")
    _check(loop, cell, body.source)
    hidden = updates[body.states[loop.states[cell.states[0]].variable]]
    if any(body.affine(value) is not hidden for value, _ in loop.stacked):
        raise Unmatched("it collects more than h")
    replace_loop(node, loop, cell, body.source)


def _check(loop: LoopStructure, cell: Cell, source: ir.Value) -> None:
    """That types, ranks and the number of steps are those of a recurrent node."""
    steps = [scalar(limit) for limit in loop.limits] if not loop.rows else [size(source, 0)]
    if not steps or any(count != size(source, 0) for count in steps):
        raise Unmatched("it is not certain to take a step for every row of its input")
    if any(carried.final.is_graph_output() for carried in loop.kept):
        raise Unmatched("a variable that it only hands on is an output of the model")
    for carried in loop.states:
        shape, dtype = carried.variable.shape, carried.variable.dtype
        if shape is None or len(shape) != 2 or dtype != ir.DataType.FLOAT:
            raise Unmatched("a state is no matrix of 32-bit floats")

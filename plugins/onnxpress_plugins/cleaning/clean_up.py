"""Leave nothing in a graph that need not be there; the numbers stay the same.

Functions are inlined.  Then, until nothing changes: shapes are computed (`shape_resolving`), nodes without effect go
(`identity_removal`), constants are computed (`constant_folding`), means over all pixels become GlobalAveragePool and
their repetition Resize (`global_pooling`, `nearest_upsampling`), operands are left to broadcasting
(`late_broadcasting`), and types and shapes are inferred, which the next round builds on.  At the end equal initialisers
are merged (`initializer_sharing`) and what nothing uses is removed: nodes, initialisers, opset imports.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common

from onnxpress.constants import drop_if_unused
from onnxpress.kinds import Context, Pass
from onnxpress.records import Notes
from onnxpress.verify import infer_shapes
from onnxpress_plugins.cleaning.constant_folding import FoldConstants
from onnxpress_plugins.cleaning.global_pooling import PoolGlobally
from onnxpress_plugins.cleaning.identity_removal import RemoveIdentities
from onnxpress_plugins.cleaning.initializer_sharing import ShareInitializers
from onnxpress_plugins.cleaning.late_broadcasting import BroadcastLate
from onnxpress_plugins.cleaning.nearest_upsampling import ResizeNearest
from onnxpress_plugins.cleaning.shape_resolving import ResolveShapes


class CleanUp(ir.passes.InPlacePass):
    """Brings a model into its simplest form.

    Raises:
        InvalidModel: Shape inference finds that the graph contradicts itself.
    """

    def __init__(self, notes: Notes, *, fold_limit: int) -> None:
        self.notes = notes
        self.rounds = (
            ResolveShapes(notes),
            RemoveIdentities(notes),
            FoldConstants(notes, limit=fold_limit),
            PoolGlobally(notes),
            ResizeNearest(notes),
            BroadcastLate(notes),
        )

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Inline, simplify to a fixed point, share, sweep."""
        modified = self._inline(model)
        infer_shapes(model)
        while self._simplify(model):
            modified = True
            infer_shapes(model)
        self.notes.declined[:] = dict.fromkeys(self.notes.declined)  # once, however many rounds there were
        modified |= ShareInitializers(self.notes)(model).modified
        modified |= self._sweep(model)
        self._report_unknown_shapes(model)
        return ir.passes.PassResult(model, modified)

    def _simplify(self, model: ir.Model) -> bool:
        modified = self._sweep(model)  # what nothing uses hides that a value has one user only
        for step in self.rounds:
            modified |= step(model).modified
        return modified

    def _inline(self, model: ir.Model) -> bool:
        if not model.functions:
            return False
        self.notes.count("functions inlined", len(model.functions))
        common.InlinePass()(model)
        model.functions.clear()  # those that nobody calls
        return True

    def _sweep(self, model: ir.Model) -> bool:
        nodes, constants = _count(model)
        common.RemoveUnusedNodesPass()(model)
        for graph in model.graphs():
            for value in list(graph.initializers.values()):
                drop_if_unused(value)
        fewer_nodes, fewer_constants = _count(model)
        self.notes.count("unused nodes removed", nodes - fewer_nodes)
        self.notes.count("unused initialisers removed", constants - fewer_constants)
        opsets = common.RemoveUnusedOpsetsPass()(model).modified
        return opsets or (nodes, constants) != (fewer_nodes, fewer_constants)

    def _report_unknown_shapes(self, model: ir.Model) -> None:
        values = [output for node in model.graph.all_nodes() for output in node.outputs]
        unknown = [value.name for value in values if value.name and value.shape is None]
        if unknown:
            self.notes.details["values of unknown shape"] = unknown


def _count(model: ir.Model) -> tuple[int, int]:
    graphs = list(model.graphs())
    return sum(len(graph) for graph in graphs), sum(len(graph.initializers) for graph in graphs)


def _build(context: Context, *, fold_limit: int = 1 << 20) -> ir.passes.PassBase:
    return CleanUp(context.notes, fold_limit=fold_limit)


CLEAN_UP = Pass(
    name="clean-up",
    summary="Remove what has no effect, evaluate constants, merge duplicates, infer shapes",
    build=_build,
)

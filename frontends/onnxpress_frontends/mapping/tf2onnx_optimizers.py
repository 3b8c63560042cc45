"""tf2onnx's own graph optimisers, two of them mended.

Of nodes that compute the same it keeps the first it meets, which varies from one process to the next; here the first by
name stays.  And its Transpose optimiser fails on a scalar added after a convolution without bias (the hard swish of
MobileNetV3), which leaves a pair of Transposes around every layer; here a scalar passes as any other operand does.
"""

from __future__ import annotations

from typing import Any


def optimizers() -> dict[str, Any]:
    """Name to class, in the order in which tf2onnx runs them."""
    from tf2onnx import optimizer
    from tf2onnx.optimizer.merge_duplicated_nodes_optimizer import MergeDuplicatedNodesOptimizer
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    class MergeDuplicatedNodes(MergeDuplicatedNodesOptimizer):  # type: ignore[misc]
        def _merge_nodes_that_are_duplicated(self, nodes_to_process: list[Any], graph: Any) -> None:
            nodes_to_process.sort(key=lambda node: node.name)
            super()._merge_nodes_that_are_duplicated(nodes_to_process, graph)

    class PushTranspose(TransposeOptimizer):  # type: ignore[misc]
        def _add_handler(self, trans: Any, node: Any) -> Any:
            added = node.inputs[1]
            if added.is_const() and added.get_tensor_value(as_list=False).ndim == 0:
                return self._handle_node_having_branches(trans, node)
            return super()._add_handler(trans, node)

    mended = {"merge_duplication": MergeDuplicatedNodes, "optimize_transpose": PushTranspose}
    return {**optimizer._get_optimizers(), **mended}

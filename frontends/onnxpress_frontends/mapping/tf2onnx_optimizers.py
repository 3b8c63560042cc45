"""tf2onnx's own graph optimisers, run without the copies that its own loop makes, four of them mended.

Its loop copies the graph, weights and all, before each of twelve optimisers, so that one that fails can be undone. Here
a failure means that the graph is mapped again, and optimised without that one.

Of nodes that compute the same, or that give one value two names, tf2onnx keeps the first it meets, which varies from
one process to the next; here the first by name stays.  And its Transpose optimiser fails on a scalar added after a
convolution without bias (the hard swish of MobileNetV3), which leaves a pair of Transposes around every layer; here a
scalar passes as any operand does.  It also passes what carries a grid (`quantization_carriers`), whose axis moves with
it.  For Einsum see `einsum_spelling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.einsum_spelling import decompose
from onnxpress_frontends.mapping.quantization_carriers import CARRIER


def optimize(mapped: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Run the optimisers on a tf2onnx graph until none finds anything to do.

    Args:
        mapped: Makes the graph; called again after an optimiser has failed.

    Returns:
        The graph, and a sentence for each optimiser that was left out.
    """
    working = optimizers()
    left_out: list[str] = []
    while True:
        graph = mapped()
        _keep_order(graph)
        failed = _run(working, graph)
        if failed is None:
            graph.topological_sort(graph.get_nodes())
            return graph, left_out
        name, error = failed
        del working[name]
        left_out.append(f"tf2onnx's optimiser {name!r} failed and was left out: {first_line(error)}")


def _keep_order(graph: Any) -> None:
    """Have a graph keep the order of its nodes when it drops unused ones; else they come as they lie in memory."""
    extract = graph.extract_sub_graph_nodes

    def in_order(*arguments: Any, **options: Any) -> list[Any]:
        place = {id(node): index for index, node in enumerate(graph.get_nodes())}
        return sorted(extract(*arguments, **options), key=lambda node: place.get(id(node), len(place)))

    graph.extract_sub_graph_nodes = in_order
    for node in graph.get_nodes():
        for body in (node.get_body_graphs() or {}).values():
            _keep_order(body)


def _run(working: Mapping[str, Any], graph: Any) -> tuple[str, Exception] | None:
    iteration, changed = 0, True
    while changed:
        changed = False
        for name, optimizer in working.items():
            running = optimizer()
            running.opt_iteration = iteration
            try:
                running._optimize(graph)
                graph.delete_unused_nodes(graph.outputs)
            except Exception as error:  # whatever a foreign graph provokes
                return name, error
            changed = changed or running.graph_been_opt
        iteration += 1
    return None


def optimizers() -> dict[str, Any]:
    """Name to class, in the order in which tf2onnx runs them."""
    from tf2onnx import optimizer
    from tf2onnx.optimizer.einsum_optimizer import EinsumOptimizer
    from tf2onnx.optimizer.identity_optimizer import IdentityOptimizer
    from tf2onnx.optimizer.merge_duplicated_nodes_optimizer import MergeDuplicatedNodesOptimizer
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    class MergeDuplicatedNodes(MergeDuplicatedNodesOptimizer):  # type: ignore[misc]
        def _merge_nodes_that_are_duplicated(self, nodes_to_process: list[Any], graph: Any) -> None:
            nodes_to_process.sort(key=lambda node: node.name)
            super()._merge_nodes_that_are_duplicated(nodes_to_process, graph)

    class RemoveIdentity(IdentityOptimizer):  # type: ignore[misc]
        def _optimize_at_current_graph_level(self, g: Any) -> Any:
            g.reset_nodes(sorted(g.get_nodes(), key=lambda node: node.name))
            return super()._optimize_at_current_graph_level(g)

    class PushTranspose(TransposeOptimizer):  # type: ignore[misc]
        def _add_handler(self, trans: Any, node: Any) -> Any:
            added = node.inputs[1]
            if added.is_const() and added.get_tensor_value(as_list=False).ndim == 0:
                return self._handle_node_having_branches(trans, node)
            return super()._add_handler(trans, node)

        def _initialize_handlers(self) -> None:
            super()._initialize_handlers()
            self._handler_map[CARRIER] = self._carrier_handler

        def _carrier_handler(self, trans: Any, node: Any) -> bool:
            if not self._switch_transpose_and_node(node, trans):
                return False
            axis, perm = node.get_attr_value(grid_attributes.AXIS), trans.get_attr_value("perm")
            if axis is not None:
                node.set_attr(grid_attributes.AXIS, perm[axis] - len(perm))
            return True

    class DecomposeEinsum(EinsumOptimizer):  # type: ignore[misc]
        def _optimize_einsum(self, node: Any, graph: Any) -> bool:
            return decompose(node, graph)

    mended = {
        "einsum_optimizer": DecomposeEinsum,
        "merge_duplication": MergeDuplicatedNodes,
        "remove_identity": RemoveIdentity,
        "optimize_transpose": PushTranspose,
    }
    return {**optimizer._get_optimizers(), **mended}

"""tf2onnx's own graph optimisers, run without the copies that its own loop makes, four of them mended.

Its loop copies the graph, weights and all, before each of twelve optimisers, so that one that fails can be undone. Here
a failure means that the graph is mapped again, and optimised without that one.

Of nodes that compute the same, or that give one value two names, tf2onnx keeps the first it meets, which varies from
one process to the next; here the first by name stays.  For the other two see `transpose_pushing` and `einsum_spelling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping import transpose_pushing
from onnxpress_frontends.mapping.einsum_spelling import decompose


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

    class MergeDuplicatedNodes(MergeDuplicatedNodesOptimizer):  # type: ignore[misc]
        def _merge_nodes_that_are_duplicated(self, nodes_to_process: list[Any], graph: Any) -> None:
            nodes_to_process.sort(key=lambda node: node.name)
            super()._merge_nodes_that_are_duplicated(nodes_to_process, graph)

    class RemoveIdentity(IdentityOptimizer):  # type: ignore[misc]
        def _optimize_at_current_graph_level(self, g: Any) -> Any:
            g.reset_nodes(sorted(g.get_nodes(), key=lambda node: node.name))
            return super()._optimize_at_current_graph_level(g)

    class DecomposeEinsum(EinsumOptimizer):  # type: ignore[misc]
        def _optimize_einsum(self, node: Any, graph: Any) -> bool:
            return decompose(node, graph)

    mended = {
        "einsum_optimizer": DecomposeEinsum,
        "merge_duplication": MergeDuplicatedNodes,
        "remove_identity": RemoveIdentity,
        "optimize_transpose": transpose_pushing.optimizer(),
    }
    return {**optimizer._get_optimizers(), **mended}

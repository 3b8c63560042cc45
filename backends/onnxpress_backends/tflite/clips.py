"""ClipByValue, for which TFLite has no operator, as a maximum and a minimum."""

from __future__ import annotations

from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor


def as_extremes(graph: Graph) -> None:
    """Rewrite every ClipByValue of `graph` and of its functions."""
    for part in (graph, *graph.functions):
        nodes: list[Node] = []
        for node in list(part.nodes):
            if node.op == "ClipByValue":
                tensor, low, high = node.inputs
                raised = part.add("Maximum", tensor, low, name=f"{node.name}/Maximum")
                raised.origin = node.origin
                nodes.append(raised)
                node.op, node.inputs = "Minimum", (Tensor(raised), high)
            nodes.append(node)
        part.nodes = nodes

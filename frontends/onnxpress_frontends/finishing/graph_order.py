"""An order of nodes and weights that the structure of a graph alone decides.

tf2onnx keeps consumers in sets of strings, so its order differs from one process to the next.  Here nodes come in
depth-first order from the outputs, each after what it uses, and weights in the order of their first use.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


def put_in_order(graph: ir.Graph) -> None:
    """Reorder the nodes of `graph`, not of its subgraphs; nodes that no output depends on come last."""
    graph.extend(list(dict.fromkeys((*_depth_first(graph), *graph))))


def weights_in_order(graph: ir.Graph) -> list[tuple[ir.Value, str]]:
    """The weights of `graph` by first use, each with a name made of its user and its role there, e.g. ``conv/W``."""
    weights = dict.fromkeys(graph.initializers.values())
    named: dict[ir.Value, str] = {}
    for node in graph.all_nodes():
        for index, value in enumerate(node.inputs):
            if value is not None and value in weights:
                named.setdefault(value, f"{node.name}/{_role(node, index)}")
    return [*named.items(), *((value, value.name or "weight") for value in weights if value not in named)]


def _role(node: ir.Node, index: int) -> str:
    import onnx

    version = node.version or (node.graph.opset_imports.get(node.domain) if node.graph else None)
    if version is None or not onnx.defs.has(node.op_type, max_inclusive_version=version, domain=node.domain):
        return str(index)
    formal = onnx.defs.get_schema(node.op_type, max_inclusive_version=version, domain=node.domain).inputs
    return formal[index].name if index < len(formal) else f"{formal[-1].name}_{index}"


def _depth_first(graph: ir.Graph) -> Iterator[ir.Node]:
    done: set[ir.Node] = set()
    stack = [(node, False) for node in reversed([value.producer() for value in graph.outputs]) if node is not None]
    while stack:
        node, ready = stack.pop()
        if node in done or node.graph is not graph:
            continue
        if ready:
            done.add(node)
            yield node
            continue
        stack.append((node, True))
        stack += [(used, False) for used in reversed([value.producer() for value in _used(node)]) if used is not None]


def _used(node: ir.Node) -> Iterator[ir.Value]:
    """What a node uses, captures of its subgraphs included."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            for inner in attribute.as_graph().all_nodes():
                yield from (value for value in inner.inputs if value is not None)

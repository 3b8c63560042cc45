"""A function cut at tensors inside it, by the names they have once every call is inlined.

Declared inputs and outputs keep the names that the user knows; any other tensor is called as its node in the graph that
tf2onnx would be given, the same from one process to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxpress.errors import InvalidOption
from onnxpress_frontends.mapping.preparation import prepare
from onnxpress_frontends.opening.graphs.cutting import cut
from onnxpress_frontends.opening.graphs.feeding import feed
from onnxpress_frontends.opening.graphs.names import find_tensor, tensor_name
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction
from onnxpress_frontends.reachability import keep_reachable, source_of


def select(source: NamedFunction, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> NamedFunction:
    """The function between `inputs` and `outputs`; the declared ones where None is given.

    Raises:
        InvalidOption: A name is unknown, or the outputs need an input that is not named.
    """
    inner = _undeclared(inputs, source.inputs) | _undeclared(outputs, source.outputs)
    if not inner:
        return source.select(inputs, outputs)
    frozen = prepare(source)
    graph = frozen.graph
    if inner.isdisjoint(node.name for node in graph.node):
        return source.select(inputs, outputs)  # says which names are declared
    fetches = _tensors(outputs, source.outputs, graph, source.title)
    feeds = _tensors(inputs, source.inputs, graph, source.title)
    standing = feed(graph, list(feeds.values()), source.title)
    fetches = {name: tensor_name(standing.get(tensor, tensor)) for name, tensor in fetches.items()}
    keep_reachable(graph.node, list(fetches.values()))
    kept = {node.name for node in graph.node}
    fed = {name: standing[tensor] for name, tensor in feeds.items() if inputs or standing[tensor] in kept}
    _refuse_unfed(graph, source, {*fed.values(), *frozen.weights})
    return cut(graph, fed, fetches, weights=frozen.weights, variables={}, title=source.title, source=source.title)


def _undeclared(names: Sequence[str] | None, ends: Sequence[Endpoint]) -> set[str]:
    declared = {end.name for end in ends}
    return {source_of(name) for name in names or () if name not in declared}


def _tensors(names: Sequence[str] | None, ends: Sequence[Endpoint], graph: Any, title: str) -> dict[str, str]:
    declared: Mapping[str, str] = {end.name: end.tensor.name for end in ends}
    if names is None:
        return dict(declared)
    nodes = {node.name: node for node in graph.node}
    return {name.removesuffix(":0"): declared.get(name) or find_tensor(name, nodes, repr(title)) for name in names}


def _refuse_unfed(graph: Any, source: NamedFunction, fed: set[str]) -> None:
    names = {source_of(end.tensor.name): end.name for end in source.inputs}
    unfed = [node.name for node in graph.node if node.op == "Placeholder" and node.name not in fed]
    if unfed:
        missing = names.get(unfed[0], unfed[0])
        raise InvalidOption(f"{source.title!r}: the outputs also need {missing!r}; name it too with option 'inputs'")

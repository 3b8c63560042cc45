"""The part of a graph between some tensors and the edges of a loop or a branch, and the function that it becomes."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxpress_frontends.opening.graphs.names import unique_name
from onnxpress_frontends.reachability import source_of

FRAMES = frozenset(("Enter", "Exit", "NextIteration", "LoopCond", "Switch", "Merge"))
FRAMES |= {"_SwitchN", *(f"Ref{op}" for op in FRAMES)}
"""Operators of TensorFlow 1's control flow."""


class Unraisable(Exception):
    """A loop or branch is not of the form that TensorFlow gives them, or holds one that must be raised first."""


@dataclass(frozen=True)
class Region:
    """A part of a graph.

    Attributes:
        nodes: Names of its nodes.
        edges: Tensors from outside that it uses.
    """

    nodes: frozenset[str]
    edges: frozenset[str]


@dataclass(frozen=True)
class Argument:
    """An argument of a function.

    Attributes:
        inside: The tensors that it takes the place of.
        outside: The tensor that the call gives.
        type: TensorFlow's ``DataType``.
    """

    inside: frozenset[str]
    outside: str
    type: int


def data(node: Any) -> list[str]:
    """The tensors that a node takes; output 0 of a node is called by the node alone."""
    return [name.removesuffix(":0") for name in node.input if not name.startswith("^")]


def users_of(graph: Any) -> dict[str, list[Any]]:
    """The nodes that take each tensor, in the order of the graph."""
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for tensor in dict.fromkeys(data(node)):
            users.setdefault(tensor, []).append(node)
    return users


def region(nodes: Mapping[str, Any], ends: Iterable[str], edges: Container[str]) -> Region:
    """What `ends` are computed from, up to `edges`; a placeholder is an edge too.

    Raises:
        Unraisable: There is other control flow of TensorFlow 1 between them.
    """
    pending, reached, inside = list(ends), set[str](), set[str]()
    while pending:
        tensor = pending.pop()
        node = nodes[source_of(tensor)]
        if tensor in edges or node.op == "Placeholder":
            reached.add(tensor)
        elif node.op in FRAMES:
            raise Unraisable
        elif node.name not in inside:
            inside.add(node.name)
            pending += data(node)
    return Region(frozenset(inside), frozenset(reached))


def placeholders(nodes: Mapping[str, Any], edges: Container[str]) -> list[Argument]:
    """An argument for each placeholder among `edges`, in the order of the graph."""
    found = (node for node in nodes.values() if node.op == "Placeholder" and node.name in edges)
    return [Argument(frozenset((node.name,)), node.name, node.attr["dtype"].type) for node in found]


def add_function(
    graph: Any,
    wish: str,
    arguments: Sequence[Argument],
    inside: Region,
    results: Sequence[tuple[str, int]],
    more: Iterable[Any] = (),
) -> Any:
    """Add to the library of a `GraphDef` a function of a region.

    Its arguments have names of their own: tf2onnx lets a graph within a graph see what is around it by name.

    Args:
        graph: The graph.
        wish: What to call the function, if nothing else is.
        arguments: The function's arguments; every edge of the region is one.
        inside: The region.
        results: The tensors that the function returns, with their types.
        more: Nodes of the function that are not in the graph.
    """
    function = graph.library.function.add()
    function.signature.name = unique_name(
        wish.replace("/", "_"), {each.signature.name for each in graph.library.function}
    )
    nodes = {node.name: node for node in graph.node if node.name in inside.nodes}
    nodes |= {node.name: node for node in more}
    suffix = re.sub("[^a-z0-9]", "_", function.signature.name.lower())
    called: dict[str, str] = {}
    for index, argument in enumerate(arguments):
        name = unique_name(f"argument_{index}_of_{suffix}", nodes)
        function.signature.input_arg.add(name=name, type=argument.type)
        called |= dict.fromkeys(argument.inside, name)
    for node in nodes.values():
        copy = function.node_def.add()
        copy.CopyFrom(node)
        copy.input[:] = [_formal(name, nodes, called) for name in data(node)]
    for index, (tensor, kind) in enumerate(results):
        function.signature.output_arg.add(name=f"result_{index}", type=kind)
        function.ret[f"result_{index}"] = _formal(_origin(tensor, nodes), nodes, called)
    return function


def is_stateful(functions: Iterable[Any]) -> bool:
    """Whether a function does more than compute."""
    from tensorflow.python.framework import op_def_registry

    definitions = (op_def_registry.get(node.op) for function in functions for node in function.node_def)
    return any(definition is None or definition.is_stateful for definition in definitions)


def is_copy(tensor: str, originals: Container[str], nodes: Mapping[str, Any]) -> bool:
    """Whether a tensor is one of `originals`, if behind Identities."""
    return _origin(tensor, nodes) in originals


def _origin(tensor: str, nodes: Mapping[str, Any]) -> str:
    """The tensor that one of the region, or of its edges, is a copy of."""
    while tensor in nodes and nodes[tensor].op == "Identity":
        (tensor,) = data(nodes[tensor])
    return tensor


def _formal(tensor: str, nodes: Mapping[str, Any], called: Mapping[str, str]) -> str:
    """How a tensor of the graph is called in the function."""
    if tensor in called:
        return called[tensor]
    name, _, index = tensor.partition(":")
    return _outputs(nodes[name])[int(index or 0)]


def _outputs(node: Any) -> list[str]:
    """The outputs of a node, as a function calls them: after the formal results of the operator."""
    return [f"{node.name}:{formal}:{index}" for formal, count in _formals(node) for index in range(count)]


def _formals(node: Any) -> Iterator[tuple[str, int]]:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        raise Unraisable
    defaults = {attribute.name: attribute.default_value for attribute in definition.attr}
    for result in definition.output_arg:
        name = result.type_list_attr or result.number_attr
        if not name:
            yield result.name, 1
            continue
        value = node.attr[name] if name in node.attr else defaults[name]
        yield result.name, len(value.list.type) if result.type_list_attr else value.i

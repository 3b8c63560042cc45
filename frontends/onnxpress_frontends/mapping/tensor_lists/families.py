"""Which lists of a graph are one and the same list, as it goes through loops, branches and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from onnxpress_frontends.mapping.tensor_lists.scopes import CALLS, Scope, Tensor, called
from onnxpress_frontends.mapping.tensor_lists.while_loops import WhileLoop

VARIANT = 21
"""TensorFlow's ``DataType`` of a list."""

SOURCES = ("TensorListReserve", "TensorListFromTensor")
WRITE = "TensorListSetItem"
READS = ("TensorListGetItem", "TensorListStack", "TensorListLength", "TensorListGather")
_LOOPS = ("While", "StatelessWhile")
_PASSED_ON = ("Identity", WRITE)


@dataclass
class Family:
    """One list.

    Attributes:
        tensors: Every tensor that is this list.
        sources: Nodes that make it, with their scopes.
        writes: Nodes that set an element.
        reads: Nodes that read it.
        loops: Loops that carry it, with the number of the variable.
        others: Nodes that do anything else with it, branches and calls among them.
    """

    tensors: set[Tensor] = field(default_factory=set)
    sources: list[tuple[Scope, Any]] = field(default_factory=list)
    writes: list[tuple[Scope, Any]] = field(default_factory=list)
    reads: list[tuple[Scope, Any]] = field(default_factory=list)
    loops: list[tuple[WhileLoop, int]] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)


def families(library: Mapping[str, Scope]) -> list[Family]:
    """Every list that a graph uses, in the order of the nodes that make them.

    Args:
        library: The main graph and its functions, by name.
    """
    same = _Same()
    used = list(reachable(library))
    for scope in used:
        for node in scope.nodes:
            for one, other in _pairs(scope, node, library):
                same.join(one, other)
    found: dict[Tensor, Family] = {}
    for scope in used:
        for node in scope.nodes:
            _sort_in(scope, node, library, same, found)
    return [family for family in found.values() if family.sources]


def reachable(library: Mapping[str, Scope]) -> Iterator[Scope]:
    """The main graph, and every function that is called from there, once each."""
    pending, seen = [""], {""}
    while pending:
        scope = library[pending.pop(0)]
        yield scope
        for node in scope.nodes:
            for _, name in called(node):
                if name in library and name not in seen:
                    seen.add(name)
                    pending.append(name)


def _pairs(scope: Scope, node: Any, library: Mapping[str, Scope]) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of tensors that are one list if they are lists."""
    output = Tensor(scope.name, node.name, 0)
    if node.op in _PASSED_ON:
        yield scope.tensor(node.input[0]), output
    if node.op not in CALLS:
        return
    arguments = [scope.tensor(name) for name in _arguments(node)]
    for key, name in called(node):
        function = library[name]
        yield from zip(arguments, map(function.argument, range(len(function.arguments))), strict=False)
        if key != "cond":
            results = map(function.tensor, function.results)
            yield from ((output._replace(output=index), result) for index, result in enumerate(results))
    if node.op in _LOOPS:
        yield from ((argument, output._replace(output=index)) for index, argument in enumerate(arguments))


def _arguments(node: Any) -> list[str]:
    names = [name for name in node.input if not name.startswith("^")]
    return names if node.op in (*_LOOPS, "PartitionedCall") else names[1:]


def _sort_in(scope: Scope, node: Any, library: Mapping[str, Scope], same: _Same, found: dict[Tensor, Family]) -> None:
    """Enter a node into the family of the list that it makes or takes."""
    if node.op in SOURCES:
        tensor = Tensor(scope.name, node.name, 0)
        family = found.setdefault(same.chief(tensor), Family())
        family.sources.append((scope, node))
        family.tensors |= same.members(tensor)
        return
    for index, name in enumerate(node.input):
        chief = same.chief(scope.tensor(name)) if not name.startswith("^") else None
        if chief is None or not _is_list(same.members(chief), library):
            continue
        family = found.setdefault(chief, Family())
        if node.op in _LOOPS:
            family.loops.append((WhileLoop(node, scope, library), index))
        elif node.op == WRITE and index == 0:
            family.writes.append((scope, node))
        elif node.op in READS:
            family.reads.append((scope, node))
        elif node.op != "Identity":
            family.others.append(node)


def _is_list(tensors: set[Tensor], library: Mapping[str, Scope]) -> bool:
    nodes = (library[tensor.scope].node(tensor.node) for tensor in tensors)
    return any(node is not None and node.op in SOURCES for node in nodes)


class _Same:
    """Tensors that have been joined, with one chief for all that are the same."""

    def __init__(self) -> None:
        self._groups: dict[Tensor, list[Tensor]] = {}

    def join(self, one: Tensor, other: Tensor) -> None:
        first, second = (self._groups.setdefault(tensor, [tensor]) for tensor in (one, other))
        if first is second:
            return
        first += second
        for tensor in second:
            self._groups[tensor] = first

    def chief(self, tensor: Tensor) -> Tensor:
        return self._groups.get(tensor, [tensor])[0]

    def members(self, tensor: Tensor) -> set[Tensor]:
        return set(self._groups.get(tensor, [tensor]))

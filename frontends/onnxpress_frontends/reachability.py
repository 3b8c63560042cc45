"""What the ends of a `GraphDef` or `FunctionDef` need: data alone, for order means nothing once variables are fixed.

Control edges are dropped with the assertions, updates and summaries they lead to.  Only in the control flow of
TensorFlow 1 do they carry meaning: a constant of one branch hangs on the Switch of its condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Set
from typing import Any

_SWITCHES = frozenset(("Switch", "RefSwitch", "_SwitchN"))
_FRAMES = _SWITCHES | frozenset(("Enter", "RefEnter", "NextIteration", "LoopCond", "ConstantFoldingCtrl"))


def source_of(tensor: str) -> str:
    """The node of a tensor or control edge: ``conv`` of ``conv:0``, ``conv:output:0`` and ``^conv``."""
    return tensor.removeprefix("^").partition(":")[0]


def closure(nodes: Mapping[str, Any], ends: Iterable[str], *, control: bool) -> set[str]:
    """Names of the nodes that `ends` depend on, themselves included; by data, or by `control` edges too."""
    pending, seen = [source_of(end) for end in ends], set[str]()
    while pending:
        name = pending.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        pending += [source_of(edge) for edge in nodes[name].input if control or not edge.startswith("^")]
    return seen


def in_order(nodes: Iterable[Any]) -> list[Any]:
    """The nodes of a scope, each after those it depends on; an edge that closes a loop does not count."""
    by_name = {node.name: node for node in nodes}
    ordered: dict[str, Any] = {}
    entered = set[str]()
    for start in by_name:
        stack = [start]
        while stack:
            name = stack[-1]
            entered.add(name)
            ahead = [source_of(edge) for edge in by_name[name].input]
            ahead = [source for source in ahead if source in by_name and source not in entered]
            if ahead:
                stack.append(ahead[0])
            else:
                ordered.setdefault(stack.pop(), by_name[name])
    return list(ordered.values())


def keep_reachable(nodes: MutableSequence[Any], ends: Iterable[str]) -> None:
    """Drop from a scope, in place, every node that `ends` do not need, and the control edges to such."""
    by_name = {node.name: node for node in nodes}
    if any(node.op in _SWITCHES for node in nodes):
        _keep_pivots(by_name)
    else:
        for node in nodes:
            _keep_edges(node, frozenset())
    kept = closure(by_name, ends, control=True)
    for index in reversed(range(len(nodes))):
        if nodes[index].name not in kept:
            del nodes[index]


def called(node: Any) -> Iterator[str]:
    """Names of what a node may call: its operator, which may be a function, and the functions in its attributes."""
    yield node.op
    for key in sorted(node.attr):
        attribute = node.attr[key]
        if attribute.HasField("func"):
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def keep_called(graph: Any) -> None:
    """Drop from the library of a `GraphDef`, in place, every function that no node leads to."""
    library = {function.signature.name: function for function in graph.library.function}
    pending, seen = [name for node in graph.node for name in called(node)], set[str]()
    while pending:
        name = pending.pop()
        if name in library and name not in seen:
            seen.add(name)
            pending += [inner for node in library[name].node_def for inner in called(node)]
    for index in reversed(range(len(graph.library.function))):
        if graph.library.function[index].signature.name not in seen:
            del graph.library.function[index]


def _keep_pivots(nodes: Mapping[str, Any]) -> None:
    pivots = {name for name, node in nodes.items() if _is_pivot(node, nodes)}
    for node in in_order(nodes.values()):  # a While or If that was lowered has a NoOp behind the pivot
        if node.op == "NoOp" and node.input and pivots.issuperset(map(source_of, node.input)):
            pivots.add(node.name)
    for node in nodes.values():
        _keep_edges(node, pivots)


def _is_pivot(node: Any, nodes: Mapping[str, Any]) -> bool:
    """Whether a control edge from here puts a node into a branch or a loop; the Merge behind a branch does not."""
    ops = {nodes[source_of(edge)].op for edge in node.input if source_of(edge) in nodes and not edge.startswith("^")}
    if node.op == "Identity":
        return not ops.isdisjoint(_FRAMES)
    return node.op in _FRAMES or (node.op == "Merge" and "NextIteration" in ops)


def _keep_edges(node: Any, sources: Set[str]) -> None:
    kept = [edge for edge in node.input if not edge.startswith("^") or source_of(edge) in sources]
    if len(kept) < len(node.input):
        node.input[:] = kept

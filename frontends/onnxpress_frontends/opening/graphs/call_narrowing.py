"""Calls of functions lose the results that nothing uses, and the arguments that only those needed.

Conditions and loops of a graph that was trained also return what their gradients need: optionals and lists of
intermediate values that ONNX does not know.  A loop keeps the variables that its results, or its condition, depend on
in any round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableSequence
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.reachability import closure, keep_reachable, source_of

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "Case", "StatelessCase"))
_LOOPS = frozenset(("While", "StatelessWhile"))
_CHOICE = frozenset(("If", "StatelessIf", "Case", "StatelessCase"))
_COUNTERS = frozenset((0, 1))
"""Rounds, and the most there may be: the first variables of every loop that Python made, used or not."""

_DEEPEST, _MOST = 100, 10_000
"""Calls inside calls, and calls in all, that no graph reaches which ends."""

_BRANCHES = ("f", "then_branch", "else_branch")


def narrow_calls(graph: Any, outputs: Collection[str]) -> dict[str, str]:
    """Narrow every call in a `GraphDef`, in place; what `outputs` do not need must be gone.

    Returns:
        New names of those outputs that are results of a call.

    Raises:
        UnsupportedModel: A function calls itself.
    """
    narrowing = _Narrowing(graph)
    renamed = narrowing.scope(graph.node, outputs, inside=False)
    graph.library.function.extend(narrowing.made)
    return renamed


class _Narrowing:
    """Narrows scopes: the main graph, and copies of the functions that are called, one for each call."""

    def __init__(self, graph: Any) -> None:
        self._library = {function.signature.name: function for function in graph.library.function}
        self._depth = 0
        self.made: list[Any] = []

    def scope(self, nodes: MutableSequence[Any], ends: Collection[str], *, inside: bool) -> dict[str, str]:
        """Narrow the calls of a scope from its ends up; returns new names of `ends`, ``node:output:0`` if inside."""
        renamed: dict[str, str] = {}
        for node in _users_first(nodes):
            functions = [function.name for function in _functions(node)]
            if not functions or not all(name in self._library for name in functions):
                continue
            used = {_slot(name) for user in nodes for name in user.input if _is_of(name, node)}
            used |= {_slot(name) for name in ends if _is_of(name, node)}
            taken = {other.name for other in nodes}
            kept = self._loop(node, used) if node.op in _LOOPS else self._call(node, used, taken)
            names = {slot: f"{node.name}:{'output:' if inside else ''}{index}" for index, slot in enumerate(kept)}
            for user in nodes:
                user.input[:] = [names[_slot(name)] if _is_of(name, node) else name for name in user.input]
            renamed |= {name: names[_slot(name)] for name in ends if _is_of(name, node)}
            keep_reachable(nodes, [renamed.get(name, name) for name in ends])
        return renamed

    def _call(self, node: Any, used: set[int], taken: Collection[str]) -> list[int]:
        choices = 1 if node.op in _CHOICE else 0
        functions = [self._copy(function.name, sorted(used)) for function in _functions(node)]
        arguments = sorted({index for function in functions for index in _needed(function, function.ret.values())})
        for function in functions:
            _drop_arguments(function, arguments)
            _name_apart(function, f"{node.name}/", taken)
        node.input[:] = [*node.input[:choices], *(_data(node)[choices + index] for index in arguments)]
        _keep(node.attr["Tin"].list.type, arguments)
        _keep(node.attr["Tout"].list.type, sorted(used))
        self._adopt(node, functions, sorted(used))
        return sorted(used)

    def _loop(self, node: Any, used: set[int]) -> list[int]:
        body, condition = (self._library[node.attr[key].func.name] for key in ("body", "cond"))
        results = [body.ret[result.name] for result in body.signature.output_arg]
        kept = used | _COUNTERS | _needed(condition, condition.ret.values())
        while (grown := kept | _needed(body, [results[index] for index in kept])) != kept:
            kept = grown
        order = sorted(kept)
        functions = [
            self._copy(condition.signature.name, [0])
            if function.name == condition.signature.name
            else self._copy(function.name, order)
            for function in _functions(node)
        ]
        for function in functions:
            _drop_arguments(function, order)
        node.input[:] = [_data(node)[index] for index in order]
        _keep(node.attr["T"].list.type, order)
        self._adopt(node, functions, order)
        return order

    def _copy(self, name: str, results: list[int]) -> Any:
        """A version of a function that returns only some of its results, and is itself narrowed."""
        if self._depth >= _DEEPEST or len(self.made) >= _MOST:
            raise UnsupportedModel(
                f"function {name!r} of the graph calls itself, or others without end; ONNX has no such calls"
            )
        function = type(self._library[name])()
        function.CopyFrom(self._library[name])
        function.signature.name = f"{name}_narrow_{len(self.made)}"
        self.made.append(function)
        names = [function.signature.output_arg[index].name for index in results]
        ends = {key: function.ret[key] for key in names}
        _keep(function.signature.output_arg, results)
        function.control_ret.clear()
        del function.signature.control_output[:]
        keep_reachable(function.node_def, ends.values())
        self._depth += 1
        renamed = self.scope(function.node_def, list(ends.values()), inside=True)
        self._depth -= 1
        function.ret.clear()
        for key, end in ends.items():
            function.ret[key] = renamed.get(end, end)
        return function

    def _adopt(self, node: Any, functions: Iterable[Any], results: list[int]) -> None:
        if "output_shapes" in node.attr:
            _keep(node.attr["output_shapes"].list.shape, results)
        for attribute, function in zip(_functions(node), functions, strict=True):
            attribute.name = function.signature.name


def _users_first(nodes: Iterable[Any]) -> list[Any]:
    """The calls of a scope, each before those whose results it takes."""
    by_name = {node.name: node for node in nodes}
    calls = [node for node in by_name.values() if node.op in _CALLS | _LOOPS]
    depths = {node.name: len(closure(by_name, [node.name], control=True)) for node in calls}
    return sorted(calls, key=lambda node: -depths[node.name])


def _functions(node: Any) -> list[Any]:
    """The functions that a call names, as attributes to be changed."""
    if node.op in _LOOPS:
        return [node.attr[key].func for key in ("body", "cond")]
    if node.op in ("Case", "StatelessCase"):
        return list(node.attr["branches"].list.func)
    return [node.attr[key].func for key in _BRANCHES if key in node.attr]


def _needed(function: Any, results: Iterable[str]) -> set[int]:
    """The arguments that results of a function depend on."""
    nodes: Mapping[str, Any] = {node.name: node for node in function.node_def}
    used = {source_of(result) for result in results}
    used |= {source_of(name) for node in closure(nodes, list(used), control=False) for name in nodes[node].input}
    return {index for index, argument in enumerate(function.signature.input_arg) if argument.name in used}


def _drop_arguments(function: Any, kept: list[int]) -> None:
    _keep(function.signature.input_arg, kept)
    function.arg_attr.clear()
    function.resource_arg_unique_id.clear()
    function.attr.pop("_input_shapes", None)


def _name_apart(function: Any, scope: str, taken: Collection[str]) -> None:
    """Rename nodes of a function that could not be put into `scope`; TensorFlow gives up on it with the process."""
    names = {node.name: f"{node.name}_inside" for node in function.node_def if f"{scope}{node.name}" in taken}
    for node in function.node_def:
        node.name = names.get(node.name, node.name)
        node.input[:] = [_renamed(name, names) for name in node.input]
    for key, result in list(function.ret.items()):  # a map may not change under its iterator
        function.ret[key] = _renamed(result, names)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    source, colon, slot = name.partition(":")  # no control edge is left in a function without Switch
    return f"{names.get(source, source)}{colon}{slot}"


def _keep(items: MutableSequence[Any], indices: Collection[int]) -> None:
    for index in reversed(range(len(items))):
        if index not in indices:
            del items[index]


def _data(node: Any) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _is_of(name: str, node: Any) -> bool:
    return not name.startswith("^") and source_of(name) == node.name


def _slot(name: str) -> int:
    last = name.rpartition(":")[2]
    return int(last) if ":" in name and last.isdigit() else 0

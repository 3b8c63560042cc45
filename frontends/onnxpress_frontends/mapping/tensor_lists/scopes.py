"""The nodes of a graph, or of one of its functions, under one way to name tensors.

A `GraphDef` calls output 2 of a node ``node:2`` (output 0 just ``node``), a `FunctionDef` calls it ``node:formal:2``
after the operator's formal result, and calls its arguments by their bare names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from onnxpress_frontends.reachability import source_of

CALLS = ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall")
_BODIES = ("body", "cond", "then_branch", "else_branch", "f", "branches")


class Tensor(NamedTuple):
    """Output number `output` of node or argument `node` in the scope called `scope`; the main graph is ``""``."""

    scope: str
    node: str
    output: int


class Scope:
    """One scope.

    Attributes:
        name: Of the function; empty for the main graph.
        owner: The `GraphDef` or `FunctionDef`.
        arguments: Names of a function's arguments, in order.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self._is_function = hasattr(owner, "node_def")
        self.name: str = owner.signature.name if self._is_function else ""
        self.arguments = [argument.name for argument in owner.signature.input_arg] if self._is_function else []
        self._nodes = {node.name: node for node in self.nodes}

    @property
    def nodes(self) -> Any:
        """Every node, in the order of the file."""
        return self.owner.node_def if self._is_function else self.owner.node

    @property
    def results(self) -> list[str]:
        """What a function returns, in the order of its results."""
        if not self._is_function:
            return []
        return [self.owner.ret[result.name] for result in self.owner.signature.output_arg]

    def tensor(self, name: str) -> Tensor:
        """The tensor that an input of a node is called by."""
        index = name.rpartition(":")[2] if ":" in name else "0"
        return Tensor(self.name, source_of(name), int(index))

    def argument(self, index: int) -> Tensor:
        """The tensor of a function's argument."""
        return Tensor(self.name, self.arguments[index], 0)

    def node(self, name: str) -> Any:
        """The node that makes the tensor called `name`; None for an argument."""
        return self._nodes.get(source_of(name))

    def origin(self, name: str) -> str:
        """The tensor that the one called `name` is a copy of."""
        node = self.node(name)
        while node is not None and node.op == "Identity":
            name = node.input[0]
            node = self.node(name)
        return name

    def number(self, name: str) -> int | None:
        """The integer that a constant holds."""
        node = self.node(self.origin(name))
        if node is None or node.op != "Const":
            return None
        from tensorflow import make_ndarray

        array = make_ndarray(node.attr["value"].tensor)
        return int(array.item()) if array.size == 1 and array.dtype.kind == "i" else None

    def add(self, wish: str, op: str, inputs: list[str], formal: str = "output", **types: int) -> str:
        """Add a node whose attributes are types; returns how its output is called."""
        name = wish
        while name in self._nodes:
            name += "_"
        node = self.nodes.add(name=name, op=op, input=inputs)
        for key, value in types.items():
            node.attr[key].type = value
        self._nodes[name] = node
        return self.output(node, formal)

    def output(self, node: Any, formal: str) -> str:
        """How the output of a node is called, given its formal name."""
        return f"{node.name}:{formal}:0" if self._is_function else str(node.name)

    def constant(self, wish: str, numbers: Any) -> str:
        """Add a constant of 32-bit integers."""
        from tensorflow import make_tensor_proto

        name = self.add(wish, "Const", [], dtype=3)
        self.node(name).attr["value"].tensor.CopyFrom(make_tensor_proto(numbers, dtype="int32"))
        return name

    def rename_output(self, node: Any, formal: str) -> None:
        """Let the output of a function's node, whose operator has changed, be called after its new formal name."""
        if not self._is_function:
            return
        new = self.output(node, formal)
        for other in self.nodes:
            other.input[:] = [new if _is_of(name, node) else name for name in other.input]
        for key, name in list(self.owner.ret.items()):
            if _is_of(name, node):
                self.owner.ret[key] = new


def scopes(graph: Any) -> dict[str, Scope]:
    """The main graph and its functions, by name."""
    return {scope.name: scope for scope in map(Scope, (graph, *graph.library.function))}


def called(node: Any) -> Iterator[tuple[str, str]]:
    """Each function that a node calls: the attribute, and the function's name."""
    for key in _BODIES:
        if key in node.attr:
            attribute = node.attr[key]
            for function in [attribute.func] if attribute.HasField("func") else attribute.list.func:
                yield key, function.name


def _is_of(name: str, node: Any) -> bool:
    return not name.startswith("^") and source_of(name) == node.name

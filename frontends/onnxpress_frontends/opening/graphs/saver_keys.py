"""Under which key of a checkpoint each variable of a graph lies, as the graph's own saver has it.

A saver is a ``RestoreV2`` whose outputs are assigned to variables.  Its keys are the names of the variables, unless it
was made from a dictionary; a partitioned variable has one key, and each part is a slice of its value.  TensorFlow 2
puts its saver into a function, which takes the variables.  Without a saver the key is the variable's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxpress_frontends.opening.graphs.names import attribute
from onnxpress_frontends.opening.graphs.variables import VARIABLES, origin, variable_of
from onnxpress_frontends.reachability import source_of

if TYPE_CHECKING:
    from onnxpress.kinds import Array

_ASSIGNMENTS = frozenset(("Assign", "AssignVariableOp"))


@dataclass(frozen=True)
class Key:
    """Where a value lies.

    Attributes:
        name: Key in the checkpoint.
        slices: Start and size along each axis of a part, None where the part has all; empty for a whole value.
    """

    name: str
    slices: tuple[tuple[int, int] | None, ...] = ()

    def cut(self, whole: Array) -> Array:
        """The part of a value."""
        return whole[tuple(slice(None) if part is None else slice(part[0], sum(part)) for part in self.slices)]

    def shape(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the part of a value with shape `whole`."""
        if len(self.slices) != len(whole):
            return whole
        return tuple(size if part is None else part[1] for size, part in zip(whole, self.slices, strict=True))


def saver_keys(graph: Any) -> dict[str, Key]:
    """Every variable of a `GraphDef`, by node name."""
    nodes = {node.name: node for node in graph.node}
    keys = {
        name: Key(attribute(node, "shared_name").s.decode("utf-8", "replace") or name)
        for name, node in nodes.items()
        if node.op in VARIABLES
    }
    library = {function.signature.name: function for function in graph.library.function}
    restored = list(_restored(nodes))
    for node in graph.node:
        function = library.get(node.attr["f"].func.name) if "f" in node.attr else None
        if function is not None:
            arguments = dict(zip((each.name for each in function.signature.input_arg), node.input, strict=False))
            inside = _restored({inner.name: inner for inner in function.node_def})
            restored += [(arguments[name], key) for name, key in inside if name in arguments]
    for tensor, key in restored:
        if (variable := variable_of(tensor, nodes)) is not None:
            keys[variable] = key
    return keys


def _restored(nodes: Mapping[str, Any]) -> Iterator[tuple[str, Key]]:
    """What a scope assigns to, and the key that it restores for that."""
    for node in nodes.values():
        if node.op in _ASSIGNMENTS and len(node.input) >= 2:
            tensor = origin(node.input[1], nodes)
            restore = nodes.get(source_of(tensor))
            if restore is not None and restore.op == "RestoreV2":
                entries, slot = list(_entries(restore, nodes)), tensor.rpartition(":")[2]
                index = int(slot) if ":" in tensor and slot.isdigit() else 0
                if index < len(entries):
                    yield origin(node.input[0], nodes), entries[index]


def _entries(restore: Any, nodes: Mapping[str, Any]) -> Iterator[Key]:
    names, specifications = (_strings(nodes.get(source_of(name))) for name in restore.input[1:3])
    for name, specification in zip(names, specifications, strict=False):
        yield Key(name, _slices(specification))


def _strings(node: Any) -> list[str]:
    if node is None or node.op != "Const":
        return []
    return [value.decode("utf-8", "replace") for value in node.attr["value"].tensor.string_val]


def _slices(specification: str) -> tuple[tuple[int, int] | None, ...]:
    """Of ``"10 4 0,5:-"``, shape and slices, the slices: the first 5 of 10, all of 4."""
    parts = specification.split(" ")[-1].split(":") if specification else []
    pairs = [part.split(",") for part in parts]
    if not all(pair == ["-"] or (len(pair) == 2 and all(number.isdigit() for number in pair)) for pair in pairs):
        return ()
    return tuple(None if pair == ["-"] else (int(pair[0]), int(pair[1])) for pair in pairs)

"""What a `GraphDef` computes from constants and weights alone, and how such a tensor becomes a weight itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.reachability import closure, in_order, source_of

if TYPE_CHECKING:
    from onnxpress.kinds import Array

FLOAT = 1
"""TensorFlow's ``DataType``."""

_CONTROL = frozenset(("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"))
"""What a branch or loop decides, whatever it is made of."""


class Constants:
    """The constant tensors of a graph, computed by TensorFlow itself.

    Args:
        graph: A `GraphDef`.
        weights: The value of every placeholder that is no input, by node name.
    """

    def __init__(self, graph: Any, weights: Mapping[str, Array]) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.node}
        self._weights = weights

    def __contains__(self, tensor: str) -> bool:
        """Whether no input, no state and no loop decides `tensor`."""
        return source_of(tensor) not in self._open

    def values(self, tensors: Iterable[str]) -> dict[str, Array]:
        """The values of constant `tensors`, by name as given.

        Raises:
            UnsupportedModel: TensorFlow cannot compute one.
        """
        import tensorflow as tf

        fetches = {tensor: tensor if ":" in tensor else f"{tensor}:0" for tensor in tensors}
        if not fetches:
            return {}
        needed = closure(self._nodes, fetches, control=False)
        part = type(self._graph)(versions=self._graph.versions, library=self._graph.library)
        part.node.extend(node for node in self._graph.node if node.name in needed)
        for node in part.node:
            node.input[:] = [edge for edge in node.input if not edge.startswith("^")]
        feeds = {f"{name}:0": self._weights[name] for name in sorted(needed & self._weights.keys())}
        with tf.Graph().as_default():
            tf.graph_util.import_graph_def(part, name="")
            with tf.compat.v1.Session() as session:
                try:
                    values: dict[str, Array] = session.run(fetches, feeds)
                except tf.errors.OpError as error:
                    raise UnsupportedModel(
                        f"TensorFlow cannot compute {_described(error)}; correct the model, or cut that part off"
                    ) from error
        return values

    @cached_property
    def _open(self) -> set[str]:
        """The nodes whose outputs are not constant."""
        found: set[str] = set()
        for node in in_order(self._graph.node):
            sources = [source_of(edge) for edge in node.input if not edge.startswith("^")]
            if not self._is_fixed(node) or not found.isdisjoint(sources):
                found.add(node.name)
        return found

    def _is_fixed(self, node: Any) -> bool:
        from tensorflow.python.framework import op_def_registry

        if node.op.startswith("Placeholder"):
            return node.name in self._weights
        definition = op_def_registry.get(node.op)
        return node.op not in _CONTROL and definition is not None and not definition.is_stateful


def hold(graph: Any, node: Any, value: Array, weights: dict[str, Array], *, kind: int = FLOAT) -> None:
    """Let the first input of `node` be a new placeholder that stands for `value`.

    Args:
        graph: The `GraphDef` of `node`.
        node: A node of it.
        value: The constant; its type may be another than `kind`, of which only the operator of `node` must know.
        weights: Where the value goes.
        kind: The `DataType` that the operator of `node` takes.
    """
    names = {other.name for other in graph.node}
    name = next(wish for wish in _wishes(f"{node.name}/value") if wish not in names)
    handle = graph.node.add(name=name, op="Placeholder")
    handle.attr["dtype"].type = kind
    handle.attr["shape"].shape.SetInParent()
    for size in value.shape:
        handle.attr["shape"].shape.dim.add(size=size)
    node.input[0] = name
    weights[name] = value


def _described(error: Any) -> str:
    lines = [line.strip() for line in error.message.splitlines()]
    reason = next((line for line in reversed(lines) if line and not line.startswith("[[")), type(error).__name__)
    return f"{error.op.name!r}: {reason}" if error.op is not None else f"a constant: {reason}"


def _wishes(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(1))

"""The shapes of what loops and branches give, which TensorFlow does not know of a While or an If unless it is told.

A variable of a loop has the most specific shape s that its first value has, and that a step gives if all variables
begin it with theirs.  It is found from the shape of the first value, by as many steps as there is a change.  A result
of an If has the most specific shape that both branches give.  A step with a loop in it is only done when that loop is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

_LOOPS = ("While", "StatelessWhile")
_CALLED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_LOOPS, ("cond", "body")),
    **dict.fromkeys(("If", "StatelessIf"), ("else_branch", "then_branch")),
    **dict.fromkeys(("Case", "StatelessCase"), ("branches",)),
}
"""Operator to the attributes with the functions that it calls."""

Sizes = list[list[int | None] | None]
"""Of each tensor the sizes, as far as they are known."""


def settle_shapes(graph: Any) -> None:
    """Set ``output_shapes`` of every While and If of a `GraphDef` that has none, in place, and of those inside."""
    import tensorflow as tf

    settling = _Settling(graph)

    def imported() -> Any:
        with tf.Graph().as_default() as whole:
            tf.import_graph_def(graph, name="")
        return whole

    settling.settle("", imported)


class _Settling:
    def __init__(self, graph: Any) -> None:
        self._library = {function.signature.name: function for function in graph.library.function}
        self._calls = dict(self._unshaped("", graph.node))
        self._given: dict[Any, Sizes] = {}
        for node in self._calls.values():
            _record(node, [None] * len(node.attr["T" if node.op in _LOOPS else "Tout"].list.type))

    def settle(self, scope: str, build: Callable[[], Any]) -> Sizes:
        """Settle the calls in a function, and so what it returns; `build` makes its graph with the shapes of now."""
        while True:
            graph = build()
            changes = [self._settle_call(scope, operation, graph) for operation in graph.get_operations()]
            if not any(changes):
                return _sizes(getattr(graph, "outputs", ()))

    def _unshaped(self, scope: str, nodes: Iterable[Any]) -> Iterator[tuple[tuple[str, str], Any]]:
        """The calls without shapes, by the name of the function that they are in, and their own."""
        for node in nodes:
            if node.op in _CALLED and "output_shapes" not in node.attr:
                yield (scope, node.name), node
                for name in _functions(node):
                    yield from self._unshaped(name, self._library[name].node_def)

    def _settle_call(self, scope: str, operation: Any, graph: Any) -> bool:
        """Settle a call, if the operation is one that takes other shapes than before; returns whether it is."""
        key = (scope, operation.name)
        node, given = self._calls.get(key), _sizes(operation.inputs)
        if node is None or self._given.get(key) == given:
            return False
        self._given[key] = given
        with graph.as_default():
            results = self._of_loop(node, given) if node.op in _LOOPS else self._of_choice(node, given[1:])
        _record(node, results)
        return True

    def _of_loop(self, node: Any, before: Sizes) -> Sizes:
        while True:
            after = _common(before, self._results(node, before)[-1])
            if after == before:
                return after
            before = after

    def _of_choice(self, node: Any, given: Sizes) -> Sizes:
        return reduce(_common, self._results(node, given))

    def _results(self, node: Any, given: Sizes) -> list[Sizes]:
        """What each function of a call returns if it is given such."""
        from tensorflow import TensorShape
        from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

        def result(name: str) -> Sizes:
            shapes = [TensorShape(sizes) for sizes in given]
            return self.settle(name, lambda: function_def_to_graph(self._library[name], input_shapes=shapes))

        return [result(name) for name in _functions(node)]


def _functions(node: Any) -> list[str]:
    attributes = [node.attr[key] for key in _CALLED[node.op]]
    return [function.name for each in attributes for function in (each.list.func or [each.func])]


def _sizes(tensors: Iterable[Any]) -> Sizes:
    return [None if tensor.shape.rank is None else tensor.shape.as_list() for tensor in tensors]


def _common(one: Sizes, other: Sizes) -> Sizes:
    from tensorflow import TensorShape

    pairs = ((TensorShape(a), TensorShape(b)) for a, b in zip(one, other, strict=True))
    joined = (a.most_specific_compatible_shape(b) for a, b in pairs)
    return [None if shape.rank is None else shape.as_list() for shape in joined]


def _record(node: Any, results: Sizes) -> None:
    from tensorflow import TensorShape

    node.attr["output_shapes"].list.SetInParent()
    del node.attr["output_shapes"].list.shape[:]
    node.attr["output_shapes"].list.shape.extend(TensorShape(sizes).as_proto() for sizes in results)

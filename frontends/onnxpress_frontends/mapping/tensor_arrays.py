"""TensorArrays in the loops of TensorFlow 1 (Enter, Switch, Merge, NextIteration, Exit): what tf2onnx would get wrong.

tf2onnx collects what a loop writes in the order of the steps, and takes every gather for one of all elements.  So the
index of a write must be the number of the step, there must be a step for each element, and what is gathered after the
loop must be everything in order.  (dynamic_rnn may take fewer steps, for it knows that what it leaves out is zero; so
does the Scan that tf2onnx makes of it.)
"""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.reachability import source_of

_COPIES = ("Identity", "Enter", "RefEnter")
_ADD = ("Add", "AddV2")


def check_tensor_arrays(graph: Any) -> None:
    """Check the loops of a frozen `GraphDef`.

    Raises:
        UnsupportedModel: A loop fills or reads a TensorArray in another way.
    """
    nodes = {node.name: node for node in graph.node}
    arrays = _Arrays(nodes)
    for node in graph.node:
        if node.op == "TensorArrayWriteV3" and not arrays.writes_in_order(node):
            raise UnsupportedModel(_refusal(node, "writes", "its elements in the order of the steps, one a step"))
        if node.op == "TensorArrayGatherV3" and not arrays.gathers_all(node):
            raise UnsupportedModel(_refusal(node, "gathers", "with stack()"))


def _refusal(node: Any, does: str, remedy: str) -> str:
    verb = does.removesuffix("s")
    return f"node {node.name!r} {does} elements of a TensorArray in an order that ONNX cannot say; {verb} {remedy}"


class _Arrays:
    def __init__(self, nodes: dict[str, Any]) -> None:
        self._nodes = nodes

    def writes_in_order(self, write: Any) -> bool:
        switch, array = self._switch(write.input[1]), self._origin(write.input[0])
        if switch is None or array is None or not self._counts(switch):
            return False
        condition = self._origin(switch.input[1])
        limits = self._limits(condition.input[0]) if condition is not None and condition.op == "LoopCond" else []
        size = self._key(array.input[0])
        return bool(limits) and all(size in keys for keys in limits)

    def gathers_all(self, gather: Any) -> bool:
        array, indices = self._origin(gather.input[0]), self._origin(gather.input[1])
        if array is None or indices is None:
            return False
        numbers = self._array(indices)
        size = self._number(array.input[0])
        if numbers is not None:
            return size is not None and numbers.tolist() == list(range(size))
        if indices.op != "Range" or self._number(indices.input[0]) != 0 or self._number(indices.input[2]) != 1:
            return False
        stop = self._origin(indices.input[1])
        is_whole = stop is not None and stop.op == "TensorArraySizeV3" and self._origin(stop.input[0]) is array
        return is_whole or self._key(indices.input[1]) == self._key(array.input[0])

    def _origin(self, name: str) -> Any:
        node = self._nodes.get(source_of(name))
        while node is not None and node.op in _COPIES:
            node = self._nodes.get(source_of(node.input[0]))
        return node

    def _switch(self, name: str) -> Any:
        """The Switch of the loop variable that a tensor is."""
        node = self._origin(name)
        return node if node is not None and node.op == "Switch" and self._merge(node) is not None else None

    def _merge(self, switch: Any) -> Any:
        merge = self._origin(switch.input[0])
        return merge if merge is not None and merge.op == "Merge" else None

    def _counts(self, switch: Any) -> bool:
        """Whether a loop variable starts at 0 and each step adds 1."""
        merge = self._merge(switch)
        sources = [self._nodes.get(source_of(name)) for name in merge.input[:2]]
        following = next((node for node in sources if node is not None and node.op == "NextIteration"), None)
        starts = [name for name, node in zip(merge.input, sources, strict=False) if node is not following]
        added = None if following is None else self._origin(following.input[0])
        if added is None or added.op not in _ADD or self._number(starts[0]) != 0:
            return False
        one, two = added.input[:2]
        return (self._switch(one) is switch and self._number(two) == 1) or (
            self._switch(two) is switch and self._number(one) == 1
        )

    def _limits(self, condition: str) -> list[set[Any]]:
        """What each comparison of a conjunction keeps a counter below; nothing if it is no such conjunction."""
        node = self._origin(condition)
        if node is not None and node.op == "LogicalAnd":
            one, two = (self._limits(name) for name in node.input[:2])
            return [*one, *two] if one and two else []
        if node is None or node.op != "Less":
            return []
        limit = self._origin(node.input[1])
        least = limit.input[:2] if limit is not None and limit.op == "Minimum" else []  # as in dynamic_rnn
        return [{self._key(name) for name in (node.input[1], *least)}]

    def _key(self, name: str) -> Any:
        number, node = self._number(name), self._origin(name)
        return number if number is not None else None if node is None else (node.name, name.partition(":")[2])

    def _number(self, name: str) -> int | None:
        node = self._origin(name)
        array = None if node is None else self._array(node)
        return int(array.item()) if array is not None and array.size == 1 and array.dtype.kind == "i" else None

    def _array(self, node: Any) -> Any:
        from tensorflow import make_ndarray

        return make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None

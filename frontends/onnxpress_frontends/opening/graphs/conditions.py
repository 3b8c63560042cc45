"""Conditions whose outcome is known leave the graph, with the branch that is not taken.

In the control flow of TensorFlow 1 a Switch sends its value one way, the other way is dead, and so is what depends on
it, up to the Merge.  In that of TensorFlow 2 an If becomes the call of one of its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from onnxpress_frontends.reachability import in_order, source_of

_SWITCHES = frozenset(("Switch", "RefSwitch"))
_MERGES = frozenset(("Merge", "RefMerge"))
_IFS = {"If": "StatefulPartitionedCall", "StatelessIf": "PartitionedCall"}
_IF_ATTRIBUTES = ("then_branch", "else_branch", "Tcond", "output_shapes", "_lower_using_switch_merge")
_NEXT = frozenset(("NextIteration", "RefNextIteration"))
_INITIALISED = frozenset(("VarIsInitializedOp", "IsVariableInitialized"))
_LOGIC: Mapping[str, Callable[..., bool]] = {
    "LogicalNot": lambda value: not value,
    "LogicalAnd": lambda left, right: left and right,
    "LogicalOr": lambda left, right: left or right,
    "Identity": lambda value: value,
    "Squeeze": lambda value: value,
}
_INT32 = 3
"""Value of TensorFlow's ``DataType``."""


def resolve(graph: Any, known: Mapping[str, bool]) -> None:
    """Resolve conditions of a `GraphDef` in place: constant ones, and those that follow from `known` nodes.

    Every variable counts as initialised.
    """
    nodes = {node.name: node for node in graph.node}
    values = _known_values(nodes, known)
    outcomes = {
        name: values[source_of(node.input[1])]
        for name, node in nodes.items()
        if node.op in _SWITCHES and source_of(node.input[1]) in values
    }
    for node in graph.node:
        if node.op in _IFS and source_of(node.input[0]) in values:
            _call(node, "then_branch" if values[source_of(node.input[0])] else "else_branch")
    if outcomes:
        _take_branches(graph, outcomes)


def _known_values(nodes: Mapping[str, Any], known: Mapping[str, bool]) -> dict[str, bool]:
    """The truth of the boolean scalars that can be known, by node name."""
    values = dict(known)
    for node in in_order(nodes.values()):
        if node.op in _INITIALISED:
            values[node.name] = True
        elif node.op == "Const":
            tensor = node.attr["value"].tensor
            if len(tensor.bool_val) == 1 and not tensor.tensor_shape.dim:
                values[node.name] = tensor.bool_val[0]
        elif node.op in _LOGIC:
            sources = [source_of(name) for name in node.input if not name.startswith("^")]
            if sources and all(name in values for name in sources):
                values[node.name] = _LOGIC[node.op](*(values[name] for name in sources))
    return values


def _call(node: Any, branch: str) -> None:
    function = type(node.attr[branch])()
    function.CopyFrom(node.attr[branch])
    node.op = _IFS[node.op]
    for name in _IF_ATTRIBUTES:
        node.attr.pop(name, None)
    node.attr["f"].CopyFrom(function)
    del node.input[0]


def _take_branches(graph: Any, outcomes: Mapping[str, bool]) -> None:
    dead = _dead(graph, outcomes)
    for index in reversed(range(len(graph.node))):
        if graph.node[index].name in dead:
            del graph.node[index]
    for node in graph.node:
        node.input[:] = [_bare(name) if source_of(name) in outcomes else name for name in node.input]
    chosen: dict[str, int] = {}
    for node in graph.node:
        if node.name in outcomes:
            node.op = "Identity"
            node.input[:] = [node.input[0]]
        elif node.op in _MERGES:
            alive = [index for index, name in _data(node) if source_of(name) not in dead and not _lost(name, outcomes)]
            if len(alive) < len(list(_data(node))) and len(alive) == 1:
                chosen[node.name] = alive[0]
                _forward(node, alive[0])
    _fix_choices(graph, chosen)


def _dead(graph: Any, outcomes: Mapping[str, bool]) -> set[str]:
    """Nodes that never run."""
    ops = {node.name: node.op for node in graph.node}
    dead: set[str] = set()
    grown = True
    while grown:
        grown = False
        for node in graph.node:
            if node.name in dead:
                continue
            gone = [source_of(name) in dead or _lost(name, outcomes) for name in node.input]
            if node.op in _MERGES:
                entries = [lost for name, lost in zip(node.input, gone, strict=True) if _enters(name, ops)]
                dies = bool(entries) and all(entries)
            else:
                dies = any(gone)
            if dies:
                dead.add(node.name)
                grown = True
    return dead


def _enters(name: str, ops: Mapping[str, str]) -> bool:
    """Whether an input of a Merge is data that comes from outside the loop."""
    return not name.startswith("^") and ops.get(source_of(name)) not in _NEXT


def _lost(tensor: str, outcomes: Mapping[str, bool]) -> bool:
    """Whether a tensor is the output of a Switch that nothing leaves through."""
    name = source_of(tensor)
    return name in outcomes and not tensor.startswith("^") and tensor.endswith(":1") != outcomes[name]


def _bare(name: str) -> str:
    return name.removesuffix(":1").removesuffix(":0")


def _data(node: Any) -> Iterator[tuple[int, str]]:
    return ((index, name) for index, name in enumerate(node.input) if not name.startswith("^"))


def _forward(node: Any, index: int) -> None:
    source = node.input[index]
    node.op = "Identity"
    node.attr.pop("N", None)
    node.input[:] = [source]


def _fix_choices(graph: Any, chosen: Mapping[str, int]) -> None:
    """The second output of a Merge tells which input it took."""
    uses = {f"{name}:1": name for name in chosen}
    asked: dict[str, str] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in uses:
                asked[uses[name]] = node.input[index] = f"{uses[name]}/chosen"
    for merge, name in asked.items():
        constant = graph.node.add(name=name, op="Const")
        constant.attr["dtype"].type = constant.attr["value"].tensor.dtype = _INT32
        constant.attr["value"].tensor.int_val.append(chosen[merge])
        constant.attr["value"].tensor.tensor_shape.SetInParent()

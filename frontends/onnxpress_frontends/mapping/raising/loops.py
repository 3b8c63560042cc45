"""A frame of TensorFlow 1's control flow becomes a While.

For each variable v of a loop there are

    merge = Merge(Enter(first v), NextIteration(next v))
    last v = Exit(Switch(merge, LoopCond(condition)):0),        v in a step = Switch(merge, LoopCond(condition)):1

where the condition is computed of what the Merges give, and the next variables of what the Switches give.  What does
not change is an Enter marked as constant.  That is

    _, _, last v ..., _ ... = While(0, -1, first v ..., constant ...)
        cond(n, limit, v ..., constant ...) = condition
        body(n, limit, v ..., constant ...) = n + 1, limit, next v ..., constant ...

with a counter n and a limit of its own, which a loop of tf.while_loop begins with and tf2onnx counts on; -1 is none.
A variable that neither the condition nor an Exit depends on is left out.  Source: ``lower_while_op.cc`` and
``control_flow_ops.py`` of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress_frontends.mapping.raising.regions import (
    Argument,
    Region,
    Unraisable,
    add_function,
    data,
    is_copy,
    is_stateful,
    placeholders,
    region,
    users_of,
)
from onnxpress_frontends.opening.graphs.names import unique_name

_INT32, _BOOL = 3, 10
"""TensorFlow's ``DataType``."""


@dataclass(frozen=True)
class Variable:
    """A variable of a loop, as an argument of its functions.

    Attributes:
        argument: It.
        update: Its value after a step.
        exits: Nodes that give its last value.
        conditions: What decides whether there is another step.
    """

    argument: Argument
    update: str
    exits: tuple[Any, ...]
    conditions: frozenset[str]


def raise_loop(graph: Any, frame: bytes) -> str:
    """Replace the frame called `frame` in a `GraphDef` by a While; returns its name.

    Raises:
        Unraisable: The frame has another form, or holds control flow that is not raised yet.
    """
    nodes = {node.name: node for node in graph.node}
    enters = [node for node in graph.node if node.op == "Enter" and node.attr["frame_name"].s == frame]
    constants = [
        Argument(frozenset((node.name,)), data(node)[0], node.attr["T"].type)
        for node in enters
        if node.attr["is_constant"].b
    ]
    users = users_of(graph)
    variables = [_variable(node, nodes, users) for node in enters if not node.attr["is_constant"].b]
    condition = _condition(variables, nodes)
    edges = frozenset[str]().union(*(each.inside for each in (*constants, *(v.argument for v in variables))))
    cond = region(nodes, [condition], edges)
    variables, body = _needed(variables, nodes, cond, edges)
    used = cond.edges | body.edges
    constants = [constant for constant in constants if constant.inside & used] + placeholders(nodes, used)
    return _add_while(graph, frame.decode(), variables, constants, condition, cond, body)


def _variable(enter: Any, nodes: Mapping[str, Any], users: Mapping[str, list[Any]]) -> Variable:
    merge = _only(users.get(enter.name, ()))
    following = _only(nodes.get(name) for name in data(merge) if name != enter.name)
    if merge.op != "Merge" or following is None or following.op != "NextIteration":
        raise Unraisable
    switches = [node for node in users.get(merge.name, ()) if node.op == "Switch" and data(node)[0] == merge.name]
    inside = {merge.name, *(f"{switch.name}:1" for switch in switches)}
    exits = [node for switch in switches for node in users.get(switch.name, ()) if node.op == "Exit"]
    return Variable(
        Argument(frozenset(inside), data(enter)[0], enter.attr["T"].type),
        data(following)[0],
        tuple(exits),
        frozenset(data(switch)[1] for switch in switches),
    )


def _condition(variables: list[Variable], nodes: Mapping[str, Any]) -> str:
    """What the frame's LoopCond takes."""
    conditions = frozenset[str]().union(*(variable.conditions for variable in variables))
    loop_cond = nodes[_only(conditions)]
    if loop_cond.op != "LoopCond":
        raise Unraisable
    return data(loop_cond)[0]


def _needed(
    variables: list[Variable], nodes: Mapping[str, Any], cond: Region, edges: frozenset[str]
) -> tuple[list[Variable], Region]:
    """The variables that the result of a loop depends on, those that no step changes last, and what computes them."""
    used, count = cond.edges, -1
    while True:
        needed = [variable for variable in variables if variable.exits or variable.argument.inside & used]
        needed.sort(key=lambda variable: is_copy(variable.update, variable.argument.inside, nodes))
        body = region(nodes, [variable.update for variable in needed], edges)
        if len(needed) == count:
            return needed, body
        used, count = used | body.edges, len(needed)


def _add_while(
    graph: Any,
    frame: str,
    variables: list[Variable],
    constants: list[Argument],
    condition: str,
    cond: Region,
    body: Region,
) -> str:
    taken = {node.name for node in graph.node}
    own = [_number(graph.node, unique_name(f"{frame}/{name}", taken), n) for name, n in (("first", 0), ("limit", -1))]
    arguments = [*(Argument(frozenset((name,)), name, _INT32) for name in own)]
    arguments += [*(variable.argument for variable in variables), *constants]
    one, following = (unique_name(f"{frame}/{name}", taken) for name in ("one", "next"))
    counting = type(graph)()
    _number(counting.node, one, 1)
    counting.node.add(name=following, op="AddV2", input=[own[0], one]).attr["T"].type = _INT32
    results = [(following, _INT32), (own[1], _INT32)]
    results += [(variable.update, variable.argument.type) for variable in variables]
    results += [(min(constant.inside), constant.type) for constant in constants]
    functions = {
        "cond": add_function(graph, f"{frame}_cond", arguments, cond, [(condition, _BOOL)]),
        "body": add_function(graph, f"{frame}_body", arguments, body, results, counting.node),
    }
    op = "While" if is_stateful(functions.values()) else "StatelessWhile"
    loop = graph.node.add(name=unique_name(frame, taken), op=op, input=[argument.outside for argument in arguments])
    for key, function in functions.items():
        loop.attr[key].func.name = function.signature.name
    loop.attr["T"].list.type.extend(argument.type for argument in arguments)
    for index, variable in enumerate(variables, len(own)):
        for leaving in variable.exits:
            leaving.op = "Identity"
            leaving.input[:] = [f"{loop.name}:{index}"]
    return str(loop.name)


def _number(nodes: Any, name: str, number: int) -> str:
    from tensorflow import make_tensor_proto

    node = nodes.add(name=name, op="Const")
    node.attr["dtype"].type = _INT32
    node.attr["value"].tensor.CopyFrom(make_tensor_proto(number, dtype="int32"))
    return name


def _only(found: Iterable[Any]) -> Any:
    each = list(found)
    if len(each) != 1:
        raise Unraisable
    return each[0]

"""Loops and branches stay operators with functions of their own, which tf2onnx makes ONNX's Loop and If of.

TensorFlow would lower them to its first control flow (Switch, Merge, Enter, Exit) wherever they are marked for it, and
grappler does.  A Case, which ONNX has no operator for, becomes nested Ifs:

    Case(i, x) = If(i == 0, branch 0 of x, If(i == 1, branch 1 of x, ... the last branch of x))

An index out of range chooses the last branch.  And every call gets functions of its own, for tf2onnx makes the graph
inside one ONNX operator of each.
"""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.opening.graphs.names import unique_name

_CASES = ("Case", "StatelessCase")
_CALLED = ("body", "cond", "then_branch", "else_branch", "f")
_INT32, _BOOL = 3, 10
"""TensorFlow's ``DataType``."""


def keep_control_flow(graph: Any) -> None:
    """Prepare the loops and branches of a `GraphDef` and its functions, in place."""
    functions = {function.signature.name: function for function in graph.library.function}
    for nodes in (graph.node, *(function.node_def for function in functions.values())):
        for node in nodes:
            node.attr.pop("_lower_using_switch_merge", None)
            if node.op in _CASES:
                _nest(node, graph.library, functions)


def separate_calls(graph: Any) -> None:
    """Give every call in a `GraphDef` functions of its own, in place.

    They are named after the call, for TensorFlow names functions by a counter of the whole process.
    """
    library = {function.signature.name: function for function in graph.library.function}
    made: dict[str, Any] = {}
    replaced = set()
    pending = [("", graph.node)]
    while pending:
        prefix, nodes = pending.pop(0)
        for node in nodes:
            for key in _CALLED:
                if key not in node.attr or node.attr[key].func.name not in library:
                    continue
                replaced.add(node.attr[key].func.name)
                function = type(library[node.attr[key].func.name])()
                function.CopyFrom(library[node.attr[key].func.name])
                name = unique_name(f"{prefix}{node.name}_{key}".replace("/", "_"), {*library, *made})
                function.signature.name = node.attr[key].func.name = name
                made[name] = function
                pending.append((f"{name}_", function.node_def))
    kept = [function for name, function in library.items() if name not in replaced]
    functions = type(graph.library)(function=[*kept, *made.values()])
    graph.library.CopyFrom(functions)


def _nest(case: Any, library: Any, functions: dict[str, Any]) -> None:
    """Turn a Case into an If; the other Ifs are in new functions, which take the index too."""
    branches = [_taking_index(functions[branch.name], library) for branch in case.attr["branches"].list.func]
    rest = branches[-1]
    for index in range(len(branches) - 2, -1, -1):
        rest = _choice(case, index, branches[index], rest, library)
    types = [_INT32, *case.attr["Tin"].list.type]
    case.op = "PartitionedCall"
    case.attr.pop("branches")
    case.attr.pop("output_shapes", None)
    case.attr["Tin"].list.type[:] = types
    case.attr["f"].func.name = rest.signature.name


def _taking_index(branch: Any, library: Any) -> Any:
    """A version of a branch whose first argument is the index, unused."""
    function = library.function.add()
    function.CopyFrom(branch)
    function.signature.name = unique_name(f"{branch.signature.name}_of_case", _names(library))
    arguments = [type(argument)() for argument in function.signature.input_arg]
    for copy, argument in zip(arguments, function.signature.input_arg, strict=True):
        copy.CopyFrom(argument)
    del function.signature.input_arg[:]
    function.signature.input_arg.add(name="case_index", type=_INT32)
    function.signature.input_arg.extend(arguments)
    function.arg_attr.clear()
    function.resource_arg_unique_id.clear()
    return function


def _choice(case: Any, index: int, branch: Any, rest: Any, library: Any) -> Any:
    """A function that calls `branch` if its first argument is `index`, and `rest` otherwise."""
    function = library.function.add()
    function.signature.CopyFrom(branch.signature)
    function.signature.name = unique_name(f"{case.name}_from_{index}".replace("/", "_"), _names(library))
    number = function.node_def.add(name="number", op="Const")
    number.attr["dtype"].type = number.attr["value"].tensor.dtype = _INT32
    number.attr["value"].tensor.int_val.append(index)
    number.attr["value"].tensor.tensor_shape.SetInParent()
    arguments = [argument.name for argument in function.signature.input_arg]
    equal = function.node_def.add(name="equal", op="Equal", input=["case_index", "number:output:0"])
    equal.attr["T"].type = _INT32
    chosen = function.node_def.add(name="chosen", op="StatelessIf", input=["equal:z:0", *arguments])
    chosen.attr["Tcond"].type = _BOOL
    chosen.attr["Tin"].list.type.extend(argument.type for argument in function.signature.input_arg)
    chosen.attr["Tout"].CopyFrom(case.attr["Tout"])
    chosen.attr["output_shapes"].CopyFrom(case.attr["output_shapes"])
    chosen.attr["then_branch"].func.name = branch.signature.name
    chosen.attr["else_branch"].func.name = rest.signature.name
    for position, result in enumerate(function.signature.output_arg):
        function.ret[result.name] = f"chosen:output:{position}"
    return function


def _names(library: Any) -> set[str]:
    return {function.signature.name for function in library.function}

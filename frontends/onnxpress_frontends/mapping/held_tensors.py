"""A variable's resource becomes the tensor that the variable holds, throughout a graph and the functions it calls.

Reading a resource is then the identity, gathering from one is gathering from a tensor, and a function that takes one is
copied into a version that takes the tensor: nodes and signatures only change their types, and no value is looked at.
A graph whose outputs read a variable after they have changed it has no such form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSequence
from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.reachability import closure, in_order, keep_called, keep_reachable, source_of

_INT32, _BOOL, _RESOURCE = 3, 10, 20
"""Values of TensorFlow's ``DataType``."""

_READERS = {
    "ReadVariableOp": "Identity",
    "ResourceGather": "GatherV2",
    "ResourceGatherNd": "GatherNd",
    "VariableShape": "Shape",
}
"""What reads a resource, and what does the same with a tensor."""

_FIRST_ARGUMENT = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}
"""Calls whose first input is a choice, not an argument."""

_TYPE_LISTS = ("T", "Tin")


def hold_tensors(graph: Any, held: Mapping[str, int]) -> list[str]:
    """Rewrite a `GraphDef` in place.

    Returns:
        The arguments of functions that those functions read and then change: what they change is lost.

    Args:
        graph: The graph; what its ends do not need must be gone.
        held: Placeholder of a resource to the `DataType` of the tensor that it stands for from now on.

    Raises:
        UnsupportedModel: A variable is changed before it is read, or used in a way that a tensor has no match for.
    """
    library = {function.signature.name: function for function in graph.library.function}
    holding = _Holding(library)
    for node in graph.node:
        if node.name in held:
            node.attr["dtype"].type = held[node.name]
    holding.rewrite(graph.node, held, constant="{}")
    for function in holding.made:
        graph.library.function.add().CopyFrom(function)
    keep_called(graph)
    return holding.lost


class _Holding:
    """Rewrites scopes: the main graph, and copies of functions, one for each combination of held arguments."""

    def __init__(self, library: Mapping[str, Any]) -> None:
        self._library = library
        self._copies: dict[tuple[str, tuple[int, ...]], tuple[str, list[int]]] = {}
        self.made: list[Any] = []
        self.lost: list[str] = []

    def rewrite(self, nodes: Any, held: Mapping[str, int], *, constant: str) -> dict[str, int]:
        """Rewrite the nodes of a scope, where `constant` is how the output of a Const is called.

        Returns every held tensor of the scope by its name without ``:0``.
        """
        tensors = dict(held)
        for node in in_order(nodes):
            types = [tensors.get(_bare(name), 0) for name in node.input if not name.startswith("^")]
            if any(types):
                tensors |= self._rewrite_node(node, types)
        for node in [node for node in nodes if node.op == "GatherV2" and "Taxis" not in node.attr]:
            _give_axis(node, nodes.add(), constant)
        return tensors

    def _rewrite_node(self, node: Any, types: list[int]) -> dict[str, int]:
        """Rewrite one node, given the held type of each input or 0; returns its outputs that are held."""
        if any(attribute.HasField("func") or attribute.list.func for attribute in node.attr.values()):
            return self._rewrite_call(node, types[_FIRST_ARGUMENT.get(node.op, 0) :])
        held = types[0]
        if node.op in _READERS:
            _read(node, held)
            return {}
        if node.op == "VarIsInitializedOp":
            _become_true(node)
            return {}
        if node.attr["T"].type == _RESOURCE and all(types):
            node.attr["T"].type = held
            return dict.fromkeys([name for index in range(2) for name in _outputs(node, index)], held)
        raise UnsupportedModel(f"operator {node.op} (node {node.name!r}) uses a variable as only TensorFlow can")

    def _rewrite_call(self, node: Any, types: list[int]) -> dict[str, int]:
        results: list[list[int]] = []
        for key in sorted(node.attr):  # "body" before "cond": the body's results are the loop's
            attribute = node.attr[key]
            for function in [attribute.func] if attribute.HasField("func") else attribute.list.func:
                function.name, types_out = self._copy(function.name, tuple(types))
                results.append(types_out)
        for key in _TYPE_LISTS:
            if key in node.attr:
                _put(node.attr[key].list.type, types)
        if "Tout" in node.attr:
            _put(node.attr["Tout"].list.type, results[0])
        shapes = node.attr["output_shapes"].list.shape if "output_shapes" in node.attr else ()
        if shapes:  # without them TensorFlow knows the shape of no output
            for shape, kind in zip(shapes, results[0], strict=True):
                shape.unknown_rank = shape.unknown_rank or bool(kind)
        return {name: kind for index, kind in enumerate(results[0]) if kind for name in _outputs(node, index)}

    def _copy(self, name: str, types: tuple[int, ...]) -> tuple[str, list[int]]:
        """The version of a function that takes held tensors, and the held type of each result or 0."""
        key = (name, types)
        if key not in self._copies and name in self._library:
            function = type(self._library[name])()
            function.CopyFrom(self._library[name])
            function.signature.name = f"{name}_holding_{len(self._copies)}"
            self._copies[key] = (function.signature.name, [])
            self._copies[key] = (function.signature.name, self._rewrite_function(function, types))
            self.made.append(function)
        return self._copies.get(key, (name, []))

    def _rewrite_function(self, function: Any, types: tuple[int, ...]) -> list[int]:
        held = {}
        function.resource_arg_unique_id.clear()
        function.attr.pop("_input_shapes", None)
        for index, (argument, kind) in enumerate(zip(function.signature.input_arg, types, strict=True)):
            if kind:
                held[argument.name] = argument.type = kind
                argument.ClearField("handle_data")
                function.arg_attr.pop(index, None)
        refuse_overtaken_reads(function.node_def, function.ret.values())
        changed = changed_variables(function.node_def)
        keep_reachable(function.node_def, function.ret.values())
        self.lost += sorted(changed & {source_of(name) for node in function.node_def for name in node.input})
        function.control_ret.clear()
        del function.signature.control_output[:]
        readers = {node.name for node in function.node_def if node.op in _READERS}
        tensors = self.rewrite(function.node_def, held, constant="{}:output:0")
        for node in function.node_def:
            node.input[:] = [_renamed(name, readers) for name in node.input]
        for key, name in list(function.ret.items()):
            function.ret[key] = _renamed(name, readers)
        results = [tensors.get(_bare(function.ret[result.name]), 0) for result in function.signature.output_arg]
        for result, kind in zip(function.signature.output_arg, results, strict=True):
            if kind:
                result.type = kind
                result.ClearField("handle_data")
        return results


def refuse_overtaken_reads(nodes: Iterable[Any], ends: Iterable[str]) -> None:
    """Refuse a scope whose `ends` need a variable's value after the scope has changed it.

    Raises:
        UnsupportedModel: They do; the message names the variable.
    """
    by_name = {node.name: node for node in nodes}
    changers = {node.name for node in by_name.values() if _changes(node)}
    if not changers:
        return
    for name in closure(by_name, ends, control=False):
        reader = by_name[name]
        if reader.op not in _READERS:
            continue
        before = closure(by_name, [name], control=True) & changers
        if any(source_of(by_name[changer].input[0]) == source_of(reader.input[0]) for changer in before):
            raise UnsupportedModel(
                f"the model changes variable {source_of(reader.input[0])!r} before it reads it, which ONNX cannot say; "
                "export the model for inference"
            )


def changed_variables(nodes: Iterable[Any]) -> set[str]:
    """The resources of a scope that it gives new values, by the node or argument that they come from."""
    return {source_of(node.input[0]) for node in nodes if _changes(node)}


def _changes(node: Any) -> bool:
    assigns = node.op.startswith("Assign") and node.op.endswith("VariableOp")
    return bool(node.input) and (assigns or node.op.startswith(("ResourceScatter", "ResourceApply")))


def _read(node: Any, held: int) -> None:
    node.attr["Tparams" if node.op.startswith("ResourceGather") else "T"].type = held
    for name in ("dtype", "validate_indices"):
        node.attr.pop(name, None)
    node.op = _READERS[node.op]


def _give_axis(gather: Any, axis: Any, constant: str) -> None:
    axis.name, axis.op = f"{gather.name}/axis", "Const"
    axis.attr["dtype"].type = axis.attr["value"].tensor.dtype = gather.attr["Taxis"].type = _INT32
    axis.attr["value"].tensor.int_val.append(gather.attr["batch_dims"].i)
    axis.attr["value"].tensor.tensor_shape.SetInParent()
    gather.input.insert(2, constant.format(axis.name))


def _become_true(node: Any) -> None:
    del node.input[:]
    node.op = "Const"
    node.attr.clear()
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = _BOOL
    node.attr["value"].tensor.bool_val.append(True)
    node.attr["value"].tensor.tensor_shape.SetInParent()


def _put(types: MutableSequence[int], held: Iterable[int]) -> None:
    """Replace the resources of a list of types."""
    for index, kind in enumerate(held):
        if kind:
            types[index] = kind


def _outputs(node: Any, index: int) -> tuple[str, str]:
    """How an output is called in a graph and in a function."""
    return (f"{node.name}:{index}" if index else node.name), f"{node.name}:output:{index}"


def _bare(name: str) -> str:
    return name if name.count(":") > 1 else name.removesuffix(":0")


def _renamed(name: str, readers: set[str]) -> str:
    """Outputs of a function's nodes are called after the operator's formal names, and Identity has another."""
    return name.replace(":value:", ":output:") if source_of(name) in readers else name

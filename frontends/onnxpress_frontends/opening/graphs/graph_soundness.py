"""A graph from a file is checked before anything relies on its form, and before TensorFlow, which may abort, sees it.

Every node has a name of its own, as many inputs as its operator takes, each of them there, and the attributes that the
operator demands, of the right kind; every constant has the type that its node says, and values that fit its shape.
Whether types and shapes go together along the edges, TensorFlow tells in good order itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from onnxpress.errors import InvalidModel
from onnxpress_frontends.reachability import source_of

_KINDS = {"string": "s", "int": "i", "float": "f", "bool": "b", "type": "type", "shape": "shape"}
_KINDS |= {"tensor": "tensor", "func": "func"}
"""Kind of an attribute in an operator's definition to the field of an `AttrValue`."""

_CALLS = dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), ("Tin", "Tout"))
_CALLS |= dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), ("Tin", "Tout"))
_CALLS |= dict.fromkeys(("While", "StatelessWhile"), ("T", "T"))
"""Operator to its attributes with the types of what the functions take and return."""

_REPEATED = 1 << 31
"""Bytes that a constant may have which is written as one value, repeated."""


def refuse_unsound(graph: Any, source: str) -> None:
    """Refuse a `GraphDef` that is malformed, its functions included.

    Raises:
        InvalidModel: It is; the message names the first node that is wrong, and how.
    """
    library = {function.signature.name: function for function in graph.library.function}
    for complaint in _complaints(graph.node, frozenset(), library):
        raise InvalidModel(f"{source} is corrupt: {complaint}")
    for name, function in library.items():
        arguments = frozenset(argument.name for argument in function.signature.input_arg)
        for complaint in _complaints(function.node_def, arguments, library):
            raise InvalidModel(f"{source} is corrupt: {complaint} in function {name!r}")
        if any(result.name not in function.ret for result in function.signature.output_arg):
            raise InvalidModel(f"{source} is corrupt: function {name!r} does not say what it returns")


def _complaints(nodes: Iterable[Any], arguments: Set[str], library: Mapping[str, Any]) -> Iterator[str]:
    from tensorflow.python.framework import op_def_registry

    names = Counter(node.name for node in nodes)
    yield from (f"{count} nodes are called {name!r}" for name, count in names.items() if count > 1 or not name)
    for node in nodes:
        missing = [name for name in map(source_of, node.input) if name not in names and name not in arguments]
        definition = op_def_registry.get(node.op)
        complaints = [f"uses {missing[0]!r}, which is not there"] if missing else []
        complaints += _against(node, definition) if definition is not None else ()
        complaints += _in_call(node, library) if node.op in _CALLS else ()
        yield from (f"{node.op} {node.name!r} {complaint}" for complaint in complaints)


def _in_call(node: Any, library: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a call by the signatures of the functions that it calls."""
    taken, returned = (len(node.attr[name].list.type) for name in _CALLS[node.op])
    for key in sorted(node.attr):
        for called in (node.attr[key].func, *node.attr[key].list.func):
            signature = library[called.name].signature if called.name in library else None
            if signature is None and called.name:
                yield f"calls {called.name!r}, which is not there"
            elif signature is not None and len(signature.input_arg) != taken:
                yield f"gives {taken} arguments to {called.name!r}, which takes {len(signature.input_arg)}"
            elif signature is not None and key != "cond" and len(signature.output_arg) != returned:
                yield f"wants {returned} results of {called.name!r}, which gives {len(signature.output_arg)}"


def _against(node: Any, definition: Any) -> Iterator[str]:
    """What is wrong with a node by the definition of its operator."""
    attributes = {attribute.name: attribute.default_value for attribute in definition.attr} | dict(node.attr)
    for attribute in definition.attr:
        if attribute.name not in node.attr and not attribute.HasField("default_value"):
            yield f"lacks its attribute {attribute.name!r}"
            return
        if attributes[attribute.name].WhichOneof("value") not in (_KINDS.get(attribute.type, "list"), "placeholder"):
            yield f"has an attribute {attribute.name!r} of the wrong kind"
            return
        if attribute.type == "tensor":
            yield from _in_tensor(attributes[attribute.name].tensor, node)
    expected = sum(_number(argument, attributes) for argument in definition.input_arg)
    data = [name for name in node.input if not name.startswith("^")]
    if len(data) != expected:
        yield f"has {len(data)} inputs and takes {expected}"
    if list(node.input[: len(data)]) != data:
        yield "has an input behind a control edge"


def _number(argument: Any, attributes: dict[str, Any]) -> int:
    """How many inputs an argument of an operator stands for."""
    if argument.type_list_attr:
        return len(attributes[argument.type_list_attr].list.type)
    return int(attributes[argument.number_attr].i) if argument.number_attr else 1


def _in_tensor(tensor: Any, node: Any) -> Iterator[str]:
    from tensorflow.python.framework.dtypes import as_dtype

    if node.op == "Const" and tensor.dtype != node.attr["dtype"].type:
        yield "holds a value of another type than it says"
        return
    try:
        width = as_dtype(tensor.dtype).size
    except TypeError:
        yield f"holds a value of unknown type {tensor.dtype}"
        return
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    expected, content = math.prod(sizes) * width, len(tensor.tensor_content)
    if min(sizes, default=0) < 0 or tensor.tensor_shape.unknown_rank:
        yield f"holds a value of shape {sizes}"
    elif content != expected and (content or expected > _REPEATED):
        yield f"holds {content} bytes for a value of shape {sizes}"

"""A list becomes the tensor of its elements, wherever it goes.

| operator                         | on a tensor                                              |
|----------------------------------|----------------------------------------------------------|
| TensorListReserve(shape, n)      | zeros [n, shape]: what TensorFlow takes unset elements for |
| TensorListFromTensor(x)          | x                                                        |
| TensorListSetItem(list, i, x)    | TensorScatterUpdate(list, [[i]], [x])                    |
| TensorListGetItem(list, i)       | Gather(list, i)                                          |
| TensorListGather(list, indices)  | Gather(list, indices)                                    |
| TensorListStack(list)            | list                                                     |
| TensorListLength(list)           | Shape(list)[0]                                           |

That is exact whatever the indices are, but a loop copies the whole tensor at each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onnxpress_frontends.mapping.tensor_lists.families import Family
from onnxpress_frontends.mapping.tensor_lists.scopes import CALLS, Scope, Tensor

INT32 = 3
"""TensorFlow's ``DataType``."""


def obstacle(family: Family) -> str | None:
    """What keeps a list from being a tensor, and what to do about it."""
    for node in family.others:
        if node.op in ("Enter", "Exit", "Switch", "Merge", "NextIteration"):
            return (
                f"its loop has been lowered to {node.op} and the like; convert the SavedModel or the Keras file, "
                "or freeze with lower_control_flow=False"
            )
        if node.op not in CALLS:
            return f"it is given to {node.op} ({node.name!r}); use stack, read or gather"
    for scope, node in family.sources:
        shape = _fixed_shape(scope, node.input[0]) if node.op == "TensorListReserve" else []
        if shape is None or min(shape, default=0) < 0:
            return (
                "the shape of its elements is not known; give it an element_shape without unknown sizes, "
                "or write one element at each step, in the order of the steps"
            )
    if any(node.attr["resize_if_index_out_of_bounds"].b for _, node in family.writes):
        return "it grows; give it a size, or write one element at each step, in the order of the steps"
    return None


def lower(family: Family, library: Mapping[str, Scope]) -> None:
    """Rewrite every node and signature that has to do with a list, in place."""
    kind, shape = family.sources[0][1].attr["element_dtype"].type, _element_shape(family)
    for scope, node in (*family.sources, *family.writes, *family.reads):
        _REWRITES[node.op](scope, node, kind)
        node.ClearField("experimental_type")
        scope.rename_output(node, "output")
    for scope in library.values():
        for node in scope.nodes:
            if node.op == "Identity" and Tensor(scope.name, node.name, 0) in family.tensors:
                node.attr["T"].type = kind
            elif node.op in CALLS:
                _retype_call(scope, node, family.tensors, kind, shape)
        _retype_signature(scope, family.tensors, kind)


def become(node: Any, op: str, inputs: Iterable[str], **types: int) -> None:
    """Let a node be another operator, whose attributes are types."""
    node.op = op
    node.input[:] = list(inputs)
    node.attr.clear()
    for key, value in types.items():
        node.attr[key].type = value


def _fixed_shape(scope: Scope, name: str) -> list[int] | None:
    """The sizes of an element, -1 for one that is unknown; None if not even their number is known."""
    from tensorflow import make_ndarray

    shape = scope.node(scope.origin(name))
    if shape is None or shape.op != "Const":
        return None
    array = make_ndarray(shape.attr["value"].tensor)
    return [int(size) for size in array] if array.ndim == 1 else None


def _element_shape(family: Family) -> list[int] | None:
    """What any operator on a list says of the shape of its elements."""
    places = {"TensorListReserve": 0, "TensorListFromTensor": 1, "TensorListGetItem": 2, "TensorListStack": 1}
    for scope, node in (*family.sources, *family.reads):
        shape = _fixed_shape(scope, node.input[places[node.op]]) if node.op in places else None
        if shape is not None:
            return shape
    return None


def _reserve(scope: Scope, node: Any, kind: int) -> None:
    name, count = node.name, node.input[1]
    shape = scope.constant(f"{name}/element_shape", _fixed_shape(scope, node.input[0]))
    zero, axis = scope.constant(f"{name}/zero", 0), scope.constant(f"{name}/axis", 0)
    rows = scope.add(f"{name}/rows", "ExpandDims", [count, axis], T=INT32, Tdim=INT32)
    sizes = scope.add(f"{name}/shape", "ConcatV2", [rows, shape, axis], T=INT32, Tidx=INT32)
    scope.node(sizes).attr["N"].i = 2
    filling = scope.add(f"{name}/filling", "Cast", [zero], "y", SrcT=INT32, DstT=kind)
    become(node, "Fill", [sizes, filling], T=kind, index_type=INT32)


def _from_tensor(scope: Scope, node: Any, kind: int) -> None:
    become(node, "Identity", node.input[:1], T=kind)


def _set_item(scope: Scope, node: Any, kind: int) -> None:
    values, index, item = node.input[:3]
    axis = scope.constant(f"{node.name}/axis", 0)
    place = scope.constant(f"{node.name}/place", [1, 1])
    indices = scope.add(f"{node.name}/indices", "Reshape", [index, place], T=INT32, Tshape=INT32)
    items = scope.add(f"{node.name}/items", "ExpandDims", [item, axis], T=kind, Tdim=INT32)
    become(node, "TensorScatterUpdate", [values, indices, items], T=kind, Tindices=INT32)


def _gather(scope: Scope, node: Any, kind: int) -> None:
    axis = scope.constant(f"{node.name}/axis", 0)
    become(node, "GatherV2", [*node.input[:2], axis], Tparams=kind, Tindices=INT32, Taxis=INT32)


def _length(scope: Scope, node: Any, kind: int) -> None:
    axis = scope.constant(f"{node.name}/axis", 0)
    shape = scope.add(f"{node.name}/shape", "Shape", node.input[:1], T=kind, out_type=INT32)
    become(node, "GatherV2", [shape, axis, axis], Tparams=INT32, Tindices=INT32, Taxis=INT32)


_REWRITES = {
    "TensorListReserve": _reserve,
    "TensorListFromTensor": _from_tensor,
    "TensorListSetItem": _set_item,
    "TensorListGetItem": _gather,
    "TensorListGather": _gather,
    "TensorListStack": _from_tensor,
    "TensorListLength": _length,
}


def _retype_call(scope: Scope, node: Any, tensors: set[Tensor], kind: int, element: list[int] | None) -> None:
    names = [name for name in node.input if not name.startswith("^")]
    first = 1 if node.op.removeprefix("Stateless") in ("If", "Case") else 0
    taken = [scope.tensor(name) in tensors for name in names[first:]]
    given = [
        Tensor(scope.name, node.name, index) in tensors
        for index in range(len(node.attr["T" if "T" in node.attr else "Tout"].list.type))
    ]
    for key, flags in (("T", taken), ("Tin", taken), ("Tout", given)):
        if key in node.attr:
            for index, is_list in enumerate(flags):
                if is_list:
                    node.attr[key].list.type[index] = kind
    if any(given) and "output_shapes" in node.attr:
        for shape, is_list in zip(node.attr["output_shapes"].list.shape, given, strict=True):
            if is_list:
                shape.Clear()
                shape.unknown_rank = element is None
                shape.dim.extend(type(shape).Dim(size=size) for size in ([] if element is None else [-1, *element]))


def _retype_signature(scope: Scope, tensors: set[Tensor], kind: int) -> None:
    for index, name in enumerate(scope.arguments):
        if scope.argument(index) in tensors:
            argument = scope.owner.signature.input_arg[index]
            assert argument.name == name
            argument.type = kind
            argument.ClearField("handle_data")
            argument.ClearField("experimental_full_type")
            scope.owner.arg_attr.pop(index, None)
    for index, name in enumerate(scope.results):
        if scope.tensor(name) in tensors:
            result = scope.owner.signature.output_arg[index]
            result.type = kind
            result.ClearField("handle_data")
            result.ClearField("experimental_full_type")

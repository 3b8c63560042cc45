"""Make every list of a graph one that tf2onnx converts rightly, or refuse the graph.

tf2onnx reads a list that it does not write as the tensor it was made of, and collects what a loop sets in a list in the
order of the steps.  That is right if the indices count the steps and there are as many as elements; a list of one
element that each step sets is the last one collected.  Any other list becomes a tensor.
"""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.mapping.tensor_lists.families import SOURCES, Family, families, reachable
from onnxpress_frontends.mapping.tensor_lists.lowering import INT32, become, lower, obstacle
from onnxpress_frontends.mapping.tensor_lists.scopes import Scope, Tensor, scopes
from onnxpress_frontends.mapping.tensor_lists.while_loops import WhileLoop, known

_LOOPS = ("While", "StatelessWhile")
_ONE_PER_STEP, _LAST = "one per step", "last"
_COLLECTED_READS = ("TensorListStack", "TensorListGetItem")


def settle_tensor_lists(graph: Any) -> None:
    """Rewrite the lists of a frozen `GraphDef`, in place.

    Raises:
        UnsupportedModel: A loop or a list is used in a way that has no match in ONNX.
    """
    library = scopes(graph)
    for scope in reachable(library):
        for node in scope.nodes:
            if node.op in _LOOPS and not WhileLoop(node, scope, library).is_plain():
                raise UnsupportedModel(
                    f"loop {node.name!r} does not count its steps as tf.while_loop does; build it with tf.while_loop"
                )
    for family in families(library):
        kind = _collected(family)
        if _is_read_only(family):
            _hide_cells(family)
        elif kind is None:
            reason = obstacle(family)
            if reason is not None:
                raise UnsupportedModel(_refusal(family, reason))
            lower(family, library)
        elif kind is _LAST:
            for scope, stack in family.reads:
                _take_last(scope, stack)


def _is_read_only(family: Family) -> bool:
    """Whether a list is made of a tensor, goes through loops alone, and is only read."""
    is_filled = [node.op for _, node in family.sources] == ["TensorListFromTensor"]
    reads = {node.op for _, node in family.reads}
    return is_filled and not family.writes and not family.others and reads <= {"TensorListGetItem"}


def _collected(family: Family) -> str | None:
    """How the elements of a list are collected; None if the list is more than what is collected."""
    if len(family.sources) != 1 or len(family.writes) != 1 or family.others:
        return None
    (((scope, source),), ((body, write),)) = family.sources, family.writes
    writers = [(loop, index) for loop, index in family.loops if loop.body is body]
    if len(writers) != 1 or source.op != SOURCES[0] or not _only_fills(*writers[0], source, write):
        return None
    loop = writers[0][0]
    if not _is_read_apart(family, loop):
        return None
    size, reads = known(scope, source.input[1]), {node.op for _, node in family.reads}
    if body.number(write.input[1]) == 0 and size == 1 and reads == {"TensorListStack"}:
        return _LAST
    return _ONE_PER_STEP if loop.is_counter(write.input[1]) and _takes(loop, size, write) else None


def _only_fills(loop: WhileLoop, index: int, source: Any, write: Any) -> bool:
    """Whether a loop takes a new list, and each step sets one element and hands the list on."""
    is_new = loop.scope.node(loop.scope.origin(loop.node.input[index])) is source
    is_handed_on = loop.body.node(loop.body.origin(loop.body.results[index])) is write
    return is_new and is_handed_on and loop.body.origin(write.input[0]) == loop.body.arguments[index]


def _is_read_apart(family: Family, writer: WhileLoop) -> bool:
    """Whether a list is read outside of the loop that fills it alone, in ways that suit a tensor."""
    inside = (writer.body.name, writer.condition.name)
    others = [(loop, variable) for loop, variable in family.loops if loop.body is not writer.body]
    is_left_alone = all(loop.scope is writer.scope and loop.keeps(variable) for loop, variable in others)
    return is_left_alone and all(
        scope.name not in inside and node.op in _COLLECTED_READS for scope, node in family.reads
    )


def _takes(loop: WhileLoop, size: Tensor | int, write: Any) -> bool:
    """Whether a loop takes as many steps as there are elements."""
    if write.attr["resize_if_index_out_of_bounds"].b:
        return size == 0
    limits = loop.limits()
    return bool(limits) and all(limit == size for limit in limits or ())


def _hide_cells(family: Family) -> None:
    """Put an Identity behind each element that is read: tf2onnx then matches no recurrent cells of its own.

    Its patterns do not ask whether the state that is handed on is what they have matched.
    """
    for scope, read in family.reads:
        users = [node for node in scope.nodes if any(scope.node(name) is read for name in node.input)]
        kind = read.attr["element_dtype"].type
        copy = scope.add(f"{read.name}/copy", "Identity", [scope.output(read, "item")], T=kind)
        for user in users:
            user.input[:] = [copy if scope.node(name) is read else name for name in user.input]


def _take_last(scope: Scope, stack: Any) -> None:
    """Of all elements that are collected, hand on the last."""
    users = [node for node in scope.nodes if any(scope.node(name) is stack for name in node.input)]
    if users and all(_is_last_row(scope, user) for user in users):
        return
    whole = scope.add(f"{stack.name}/all", stack.op, list(stack.input), "tensor")
    for key in stack.attr:
        scope.node(whole).attr[key].CopyFrom(stack.attr[key])
    bounds = [scope.constant(f"{stack.name}/{name}", [n]) for name, n in (("from", -1), ("to", 2**31 - 1), ("by", 1))]
    become(stack, "StridedSlice", [whole, *bounds], T=stack.attr["element_dtype"].type, Index=INT32)
    scope.rename_output(stack, "output")


def _is_last_row(scope: Scope, node: Any) -> bool:
    return node.op == "StridedSlice" and node.attr["shrink_axis_mask"].i == 1 and scope.number(node.input[1]) == -1


def _refusal(family: Family, reason: str) -> str:
    nodes = [node.name for _, node in (*family.writes, *family.sources)]
    return f"TensorArray {nodes[-1]!r} has no form in ONNX: {reason}"

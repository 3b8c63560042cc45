"""Sequences are made, changed, read and joined; an optional value that is there is the value itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.broadcasting import aligned
from onnxpress_backends.tensorflow.layout.layouts import without
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.loops.sequences import Items, picked, sequence
from onnxpress_backends.tensorflow.rules.branching import scalar


def _items(call: Call) -> list[Value]:
    given = call.value(0)
    if not isinstance(given, Items):
        call.refuse("its sequence is not known when the graph is written")
    return list(given.items)


def construct(call: Call) -> Items:
    """SequenceConstruct."""
    return sequence(call, call.values, call.dtype(0))


def empty(call: Call) -> Items:
    """SequenceEmpty."""
    return sequence(call, [], of_onnx(ir.DataType(call.attribute("dtype", 1)), "an empty sequence"))


def length(call: Call) -> Tensor:
    """SequenceLength: it is known."""
    return call.const(len(_items(call)), DType.INT64)


def at(call: Call) -> Value:
    """SequenceAt."""
    items = _items(call)
    known = call.constant(1)
    if known is not None:
        return items[int(known.item())]
    return picked(call, items, [_position(call, 1, len(items))])[0]


def insert(call: Call) -> Items:
    """SequenceInsert: at the end where no position is given."""
    items, new, known = _items(call), call.value(1), call.constant(2)
    count = len(items)
    if not call.has(2) or known is not None:
        items.insert(count if known is None else int(known.item()), new)
        return sequence(call, items, new.dtype)

    def source(index: int, place: Tensor) -> Tensor:
        here = call.const(index, DType.INT32)
        after = call.emit("SelectV2", call.emit("Equal", place, here), *_integers(call, count, index - 1))
        return call.emit("SelectV2", call.emit("Less", here, place), here, after)

    return _rearranged(call, [*items, new], _position(call, 2, count), count + 1, source)


def erase(call: Call) -> Items:
    """SequenceErase: the last element where no position is given."""
    items, known = _items(call), call.constant(1)
    if not call.has(1) or known is not None:
        del items[-1 if known is None else int(known.item())]
        return sequence(call, items, call.dtype(0))

    def source(index: int, place: Tensor) -> Tensor:
        stays = call.emit("Less", call.const(index, DType.INT32), place)
        return call.emit("SelectV2", stays, *_integers(call, index, index + 1))

    return _rearranged(call, items, _position(call, 1, len(items)), len(items) - 1, source)


def _rearranged(
    call: Call, items: Sequence[Value], place: Tensor, count: int, source: Callable[[int, Tensor], Tensor]
) -> Items:
    """The sequence whose element i is `items` at ``source(i, place)``."""
    return sequence(call, picked(call, items, [source(index, place) for index in range(count)]), items[0].dtype)


def _integers(call: Call, *numbers: int) -> list[Tensor]:
    return [call.const(number, DType.INT32) for number in numbers]


def _position(call: Call, index: int, count: int) -> Tensor:
    """A position that is computed, an INT32 scalar; negative ones count from the end."""
    place = call.cast(scalar(call, index), DType.INT32)
    zero, all_of_them = _integers(call, 0, count)
    return call.emit("SelectV2", call.emit("Less", place, zero), call.emit("AddV2", place, all_of_them), place)


def split(call: Call) -> Items:
    """SplitToSequence: as many pieces as there are sizes, or as the axis has room for."""
    tensor, layout = call.value(0).permuted
    shape = call.shape(0)
    assert layout is not None
    axis = call.attribute("axis", 0) % len(shape)
    counts = _counts(call, shape[axis])
    sizes = call.tensor(1) if None in counts else call.const([count or 0 for count in counts], DType.INT64)
    node = call.emit_node("SplitV", tensor, sizes, call.const(layout.axis(axis), DType.INT32), num_split=len(counts))
    dropped = not call.has(1) and not call.attribute("keepdims", 1)
    after = without(layout, [axis]) if dropped else layout
    items: list[Value] = []
    for index, count in enumerate(counts):
        item = Tensor(node, index)
        if dropped:
            item = call.emit("Squeeze", item, squeeze_dims=[layout.axis(axis)])
        piece = (*shape[:axis], *(() if dropped else (count,)), *shape[axis + 1 :])
        items.append(Value(graph=call.graph, name=f"{call.title}_{index}", dtype=item.dtype, shape=piece))
        items[-1].forms[after] = item
    return sequence(call, items, tensor.dtype)


def _counts(call: Call, total: int | None) -> list[int | None]:
    """The sizes of the pieces of an axis: given, computed, or all one but the last."""
    known = call.constant(1)
    if call.has(1) and call.rank(1) == 1:
        return [None] * call.sizes(1)[0] if known is None else [int(count) for count in known]
    if total is None or (call.has(1) and known is None):
        call.refuse("how many pieces there are must be known: give the size of the axis, and a constant 'split'")
    size = 1 if known is None else int(known.item())
    return [min(size, total - start) for start in range(0, total, size)]


def concat(call: Call) -> Laid | Tensor:
    """ConcatFromSequence: along an axis, or along a new one."""
    items, axis = _items(call), call.attribute("axis")
    if not items:
        call.refuse("it joins an empty sequence")
    if call.attribute("new_axis", 0):
        return call.emit("Pack", [item.tensor() for item in items], axis=axis)
    tensors, layout = aligned(call, items, whole=True)
    if layout is not None and layout.split is not None:
        tensors, layout = [item.tensor() for item in items], None
    place = axis if layout is None else layout.axis(axis)
    return Laid(
        call.emit("ConcatV2", tensors, call.const(place, DType.INT32)) if len(items) > 1 else tensors[0], layout
    )


def each(call: Call) -> list[Items]:
    """SequenceMap: the body once for each element; tensors are the same for all."""
    body: ir.Graph = call.attribute("body")
    results: list[list[Value]] = [[] for _ in body.outputs]
    for index in range(len(_items(call))):
        scope = call.scope.within(body, call.graph)
        for variable, given in zip(body.inputs, call.values, strict=True):
            scope.values[variable] = given.items[index] if isinstance(given, Items) else given
        scope.run()
        for result, output in zip(results, body.outputs, strict=True):
            result.append(scope.value(output))
    return [
        sequence(call, result, of_onnx(output.dtype, f"{output.name!r}"))
        for result, output in zip(results, body.outputs, strict=True)
    ]


def has_element(call: Call) -> Tensor:
    """OptionalHasElement: whether there is an input."""
    return call.const(call.has(0), DType.BOOL)


def the_same(call: Call) -> Value:
    """Optional and OptionalGetElement of what is there."""
    if not call.has(0):
        call.refuse("an optional value that is not there has no tensor")
    return call.value(0)


RULES: Mapping[str, Rule] = {
    "ConcatFromSequence": concat,
    "Optional": the_same,
    "OptionalGetElement": the_same,
    "OptionalHasElement": has_element,
    "SequenceAt": at,
    "SequenceConstruct": construct,
    "SequenceEmpty": empty,
    "SequenceErase": erase,
    "SequenceInsert": insert,
    "SequenceLength": length,
    "SequenceMap": each,
    "SplitToSequence": split,
}

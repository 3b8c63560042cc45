"""Loop and Scan: a StatelessWhile whose body is the body of the node.

A variable that the body only hands on is no variable: the body sees the value itself, a constant as a constant.  As in
onnxruntime, the condition that the body of a Loop gives counts even where the node is given none to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule, shape_of
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.iterating import Iteration, element_shape, reserved, size, stacked, with_element
from onnxpress_backends.tensorflow.layouts import Layout, Shape, logical
from onnxpress_backends.tensorflow.rules.branching import scalar
from onnxpress_backends.tensorflow.values import Laid, Value

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.lowering import Scope

_MOST = 2**31 - 1
"""Steps that a counter of TensorFlow's counts."""


def loop(call: Call) -> Sequence[Laid | Value]:
    """Loop: at most M steps, while the condition holds that the body computes for the next."""
    body: ir.Graph = call.attribute("body")
    limit, tested = _limit(call), _is_tested(call, body)
    if limit is None and not tested:
        call.refuse("it never ends: it has neither a number of steps nor a condition that may become false")
    iteration = Iteration(call, limit)
    scope, pen = call.scope.within(body, iteration.body), iteration.inside
    number, condition = body.inputs[:2]
    _define(scope, pen, number, pen.cast(iteration.step, DType.INT64))
    flag = pen.const(True, DType.BOOL)
    if tested:
        first = scalar(call, 1) if call.has(1) else call.const(True, DType.BOOL)
        flag = iteration.carry(first, (), "going_on")
    _define(scope, pen, condition, flag)
    states = _States(call, scope, iteration, start=2, names=list(zip(body.inputs[2:], body.outputs[1:], strict=False)))
    scope.run()
    updates = [_flat(pen, scope.value(body.outputs[0]))] if tested else []
    updates += states.updates()
    collected = [
        _Collected.carried(iteration, scope.value(value), None if tested else limit)
        for value in body.outputs[1 + len(states.names) :]
    ]
    updates += [each.update(iteration) for each in collected]
    count, *last = iteration.write(updates, going_on=flag if tested else None)
    last = last[tested:]
    ends = states.results(last)
    lists = last[len(last) - len(collected) :]
    return [*ends, *(each.result(call, items, count) for each, items in zip(collected, lists, strict=True))]


def scan(call: Call) -> Sequence[Laid | Value]:
    """Scan: a step for each slice of its inputs."""
    if call.opset < 9:
        call.refuse("Scan runs over a batch before opset 9; convert the model to opset 11")
    body: ir.Graph = call.attribute("body")
    sliced = call.attribute("num_scan_inputs")
    start = len(call.node.inputs) - sliced
    axes = call.attribute("scan_input_axes", [0] * sliced)
    backwards = call.attribute("scan_input_directions", [0] * sliced)
    length = size(call, start, axes[0])
    iteration = Iteration(call, length)
    scope = call.scope.within(body, iteration.body)
    states = _States(call, scope, iteration, start=0, names=list(zip(body.inputs[:start], body.outputs, strict=False)))
    for variable, source, axis, reverse in zip(
        body.inputs[start:], call.node.inputs[start:], axes, backwards, strict=True
    ):
        assert source is not None
        scope.define(variable, _slice(iteration, scope.value(source), axis, reverse=bool(reverse)))
    scope.run()
    given = [scope.value(value) for value in body.outputs[start:]]
    output_axes = call.attribute("scan_output_axes", [0] * len(given))
    output_directions = call.attribute("scan_output_directions", [0] * len(given))
    collected = [
        _Collected.carried(iteration, value, length, axis=axis, reverse=bool(reverse))
        for value, axis, reverse in zip(given, output_axes, output_directions, strict=True)
    ]
    _, *last = iteration.write([*states.updates(), *(each.update(iteration) for each in collected)])
    lists = last[len(last) - len(collected) :]
    return [
        *states.results(last),
        *(each.result(call, items, length) for each, items in zip(collected, lists, strict=True)),
    ]


class _States:
    """The variables of a loop.

    Args:
        call: The node.
        scope: The scope of its body.
        iteration: The loop.
        start: Number of the input that holds the first of them.
        names: Each as it stands before and after a step.
    """

    def __init__(
        self, call: Call, scope: Scope, iteration: Iteration, *, start: int, names: Sequence[tuple[ir.Value, ir.Value]]
    ) -> None:
        self.names, self._scope = names, scope
        self._kept: dict[int, Value] = {}
        self._layouts: list[Layout | None] = []
        for index, (before, after) in enumerate(names):
            first, source = call.value(start + index), call.node.inputs[start + index]
            if _origin(after) is before and source is not None:
                self._kept[index] = first
                scope.values[before] = scope.value(source)
                continue
            shape = shape_of(before)
            layout = None if shape is None or first.shape is None else first.permuted.layout
            inside = shape if shape is None or layout is None else layout.arrange(shape)
            argument = iteration.carry(first.tensor(layout), inside, before.name or "state")
            scope.define(before, Laid(argument, layout))
            self._layouts.append(layout)

    def updates(self) -> list[Tensor]:
        """What they become in a step."""
        changing = [after for index, (_, after) in enumerate(self.names) if index not in self._kept]
        return [self._scope.value(after).tensor(layout) for after, layout in zip(changing, self._layouts, strict=True)]

    def results(self, last: Sequence[Tensor]) -> list[Laid | Value]:
        """What they are after the last step, which left `last`."""
        changed = iter(zip(last, self._layouts, strict=False))
        return [self._kept[index] if index in self._kept else Laid(*next(changed)) for index in range(len(self.names))]


@dataclass(frozen=True)
class _Collected:
    """What each step gives one element of.

    Attributes:
        value: The element, in the body.
        layout: How it lies.
        items: The list, in the body.
        grows: Whether the number of steps is not known before.
        axis: The ONNX axis along which the elements are joined.
        reverse: Whether the last element stands first.
    """

    value: Value
    layout: Layout | None
    items: Tensor
    grows: bool
    axis: int
    reverse: bool

    @classmethod
    def carried(
        cls, iteration: Iteration, value: Value, count: Tensor | None, *, axis: int = 0, reverse: bool = False
    ) -> _Collected:
        """Have the loop carry a list of `count` elements, or one that grows."""
        layout = value.permuted.layout
        call = iteration.call
        room = count if count is not None else call.const(0, DType.INT32)
        items = reserved(call, value.dtype, _arranged(value.shape, layout), room)
        if layout is None and axis:
            call.refuse(f"the rank of {value.name!r}, which it joins along axis {axis}, must be known")
        argument = iteration.carry(items, (), f"{value.name}_items")
        return cls(value, layout, argument, count is None, axis, reverse)

    def update(self, iteration: Iteration) -> Tensor:
        """The list with the element of a step."""
        index = iteration.step_from_end() if self.reverse else iteration.step
        return with_element(iteration.inside, self.items, index, self.value.tensor(self.layout), growing=self.grows)

    def result(self, call: Call, items: Tensor, count: Tensor) -> Laid:
        """All elements in one tensor; no elements are known to be empty along the axes of unknown size."""
        shape = _arranged(self.value.shape, self.layout)
        sizes = element_shape(call, shape)
        known = count.node.op == "Const" and bool(count.node.attrs["value"] > 0)
        if shape is not None and None in shape and not known:
            empty = call.const([size or 0 for size in shape], DType.INT32)
            none = call.emit("Equal", count, call.const(0, DType.INT32))
            sizes = call.emit("SelectV2", none, empty, sizes)
        tensor = stacked(call, items, sizes, self.value.dtype)
        if self.layout is None:
            return Laid(tensor, None)
        axis = self.axis % (self.layout.rank + 1)
        return Laid(tensor, Layout((axis, *(other + (other >= axis) for other in self.layout.perm))))


def _arranged(shape: Shape | None, layout: Layout | None) -> Shape | None:
    return None if shape is None or layout is None else layout.arrange(shape)


def _slice(iteration: Iteration, source: Value, axis: int, *, reverse: bool) -> Laid:
    """The slice of an input of a Scan that a step sees."""
    tensor, layout = source.permuted
    pen = iteration.inside
    index = iteration.step_from_end() if reverse else iteration.step
    place = axis if layout is None else layout.axis(axis)
    item = pen.emit("GatherV2", tensor, index, pen.const(place, DType.INT32))
    if layout is None:
        return Laid(item, None)
    gone = axis % layout.rank
    return Laid(item, Layout(tuple(other - (other > gone) for other in layout.perm if other != gone)))


def _limit(call: Call) -> Tensor | None:
    """The number of steps of a Loop at most; None for one that no counter reaches."""
    if not call.has(0):
        return None
    known = call.constant(0)
    if known is None:
        most = call.emit("Minimum", scalar(call, 0), call.const(_MOST, DType.INT64))
        return call.cast(call.emit("Maximum", most, call.const(0, DType.INT64)), DType.INT32)
    steps = int(known.item())
    return None if steps >= _MOST else call.const(max(steps, 0), DType.INT32)


def _is_tested(call: Call, body: ir.Graph) -> bool:
    """Whether a condition may end the Loop."""
    given, after = call.node.inputs[1] if call.has(1) else None, _origin(body.outputs[0])
    return not ((given is None or _is_true(given)) and (after is body.inputs[1] or _is_true(after)))


def _is_true(value: ir.Value) -> bool:
    tensor = ir.convenience.get_const_tensor(_origin(value))
    return tensor is not None and bool(tensor.numpy().all())


def _origin(value: ir.Value) -> ir.Value:
    """What `value` is a copy of."""
    maker = value.producer()
    while maker is not None and maker.op_type == "Identity" and not maker.domain and maker.inputs[0] is not None:
        value = maker.inputs[0]
        maker = value.producer()
    return value


def _define(scope: Scope, pen: Call, variable: ir.Value, tensor: Tensor) -> None:
    """Say what the number of the step or the condition is in the body, which may have it as a vector of one element."""
    if shape_of(variable) == (1,):
        scope.define(variable, Laid(pen.emit("ExpandDims", tensor, pen.const(0, DType.INT32)), logical(1)))
    else:
        scope.define(variable, Laid(tensor, logical(0)))


def _flat(pen: Call, flag: Value) -> Tensor:
    """A condition as a scalar."""
    return flag.tensor() if flag.shape == () else pen.emit("Reshape", flag.tensor(), pen.const([], DType.INT32))


RULES: Mapping[str, Rule] = {
    "Loop": loop,
    "Scan": scan,
}

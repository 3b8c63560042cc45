"""Loop and Scan: a StatelessWhile whose body is the body of the node.

As in onnxruntime, the condition that the body of a Loop gives counts even where the node is given none to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, Rule, shape_of
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import logical, without
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.loops.carrying import Begun, Collected, Layouts, States, begun, origin
from onnxpress_backends.tensorflow.loops.iterating import Iteration, size
from onnxpress_backends.tensorflow.rules.branching import scalar

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.lowering import Scope

_MOST = 2**31 - 1
"""Steps that a counter of TensorFlow's counts."""


def loop(call: Call) -> Sequence[Laid | Value]:
    """Loop: at most M steps, while the condition holds that the body computes for the next."""
    body: ir.Graph = call.attribute("body")
    limit, condition = _limit(call), _condition(call, body)
    if limit is None and condition is None:
        call.refuse("it never ends: it has neither a number of steps nor a condition that may become false")
    names = list(zip(body.inputs[2:], body.outputs[1:], strict=False))

    def begin(layouts: Layouts) -> Begun:
        iteration = Iteration(call, limit, condition)
        scope, pen = call.scope.within(body, iteration.body), iteration.inside
        _define(scope, pen, body.inputs[0], pen.cast(iteration.step, DType.INT64))
        flag = iteration.going_on if condition is not None else pen.const(True, DType.BOOL)
        assert flag is not None
        _define(scope, pen, body.inputs[1], flag)
        return Begun(iteration, scope, States(call, scope, iteration, start=2, names=names, layouts=layouts))

    written = begun(begin)
    count = limit if condition is None else None
    going_on = None if condition is None else _flat(written.iteration.inside, written.scope.value(body.outputs[0]))
    given = [written.scope.value(value) for value in body.outputs[1 + len(names) :]]
    collected = [Collected.carried(written.iteration, value, count) for value in given]
    return _finished(call, written, collected, going_on)


def scan(call: Call) -> Sequence[Laid | Value]:
    """Scan: a step for each slice of its inputs."""
    body: ir.Graph = call.attribute("body")
    sliced = call.attribute("num_scan_inputs")
    start = len(call.node.inputs) - sliced
    axes, backwards = _along(call, "input", sliced)
    length = size(call, start, axes[0])
    names = list(zip(body.inputs[:start], body.outputs, strict=False))

    def begin(layouts: Layouts) -> Begun:
        iteration = Iteration(call, length)
        scope = call.scope.within(body, iteration.body)
        states = States(call, scope, iteration, start=0, names=names, layouts=layouts)
        for variable, source, axis, reverse in zip(
            body.inputs[start:], call.node.inputs[start:], axes, backwards, strict=True
        ):
            assert source is not None
            scope.define(variable, _slice(iteration, scope.value(source), axis, reverse=bool(reverse)))
        return Begun(iteration, scope, states)

    written = begun(begin)
    given = [written.scope.value(value) for value in body.outputs[start:]]
    collected = [
        Collected.carried(written.iteration, value, length, axis=axis, reverse=bool(reverse))
        for value, axis, reverse in zip(given, *_along(call, "output", len(given)), strict=True)
    ]
    return _finished(call, written, collected)


def _finished(
    call: Call, written: Begun, collected: Sequence[Collected], going_on: Tensor | None = None
) -> list[Laid | Value]:
    """The outputs of a loop: the variables after the last step, then what was collected."""
    iteration, pen = written.iteration, written.iteration.inside
    states, lists = written.states.updates(), [each.update(iteration) for each in collected]
    made = None
    if any(each.count is None and each.may_be_empty for each in collected):  # readers drop the counter of the loop
        made = iteration.carry(call.const(0, DType.INT32), (), "made")
    number = [] if made is None else [pen.emit("AddV2", made, pen.const(1, DType.INT32))]
    last = iteration.write([*states, *lists, *number], going_on=going_on)
    stacks = [
        each.result(call, items, last[-1])
        for each, items in zip(collected, last[len(states) : len(states) + len(lists)], strict=True)
    ]
    return [*written.states.results(last), *stacks]


def _along(call: Call, side: str, count: int) -> tuple[Sequence[int], Sequence[int]]:
    """The axes of the inputs or outputs of a Scan, and for each whether it runs backwards."""
    axes, directions = (call.attribute(f"scan_{side}_{name}", [0] * count) for name in ("axes", "directions"))
    return axes, directions


def _slice(iteration: Iteration, source: Value, axis: int, *, reverse: bool) -> Laid:
    """The slice of an input of a Scan that a step sees."""
    tensor, layout = source.permuted
    pen = iteration.inside
    index = iteration.step_from_end() if reverse else iteration.step
    place = axis if layout is None else layout.axis(axis)
    item = pen.emit("GatherV2", tensor, index, pen.const(place, DType.INT32))
    if layout is None:
        return Laid(item, None)
    return Laid(item, without(layout, [axis % layout.rank]))


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


def _condition(call: Call, body: ir.Graph) -> Tensor | None:
    """Whether a Loop makes a first step; None where no condition ends it."""
    given, after = call.node.inputs[1] if call.has(1) else None, origin(body.outputs[0])
    if (given is None or _is_true(given)) and (after is body.inputs[1] or _is_true(after)):
        return None
    return call.const(True, DType.BOOL) if given is None else scalar(call, 1)


def _is_true(value: ir.Value) -> bool:
    tensor = ir.convenience.get_const_tensor(origin(value))
    return tensor is not None and bool(tensor.numpy().all())


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

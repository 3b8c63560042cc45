"""What a Loop or Scan does to its variables: which it leaves alone, which count its steps, which are states.

    Loop(M, condition, initial ...) -> (final ..., stacked ...)
    Scan(initial ..., rows ...)     -> (final ..., stacked ...)

A variable is *constant* if each step hands it on, a *counter* if it starts at 0 and each step adds 1, and a *state*
otherwise.  A Scan hands its body the rows of its inputs; a Loop's body gathers them at the number of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxpress_frontends.mapping.recurrence.algebra import Unmatched


@dataclass(frozen=True)
class Carried:
    """A variable of the loop: in the body, after a step, before the first step, after the last."""

    variable: ir.Value
    update: ir.Value
    initial: ir.Value
    final: ir.Value


@dataclass(frozen=True)
class LoopStructure:
    """The parts of a Loop or Scan node.

    Attributes:
        rows: Variables of the body that hold one row of an input of a Scan, to that input.
        step: Those that hold the number of the step, from 0.
        constants: Those that keep the value they start with, to that value.
        kept: The same, with the outputs of the node that hold them.
        states: The others.
        stacked: Values of the body that are collected over the steps, with the output that collects them.
        limits: Scalars; a Loop makes as many steps as the least of them says.
    """

    rows: dict[ir.Value, ir.Value]
    step: set[ir.Value]
    constants: dict[ir.Value, ir.Value]
    kept: list[Carried]
    states: list[Carried]
    stacked: list[tuple[ir.Value, ir.Value]]
    limits: list[ir.Value]


def analyse(node: ir.Node) -> LoopStructure:
    """Take a Loop or Scan apart.

    Raises:
        Unmatched: It ends on anything but the number of its steps, or does not scan forwards along the first axis.
    """
    body = node.attributes["body"].as_graph()
    is_loop = node.op_type == "Loop"
    rows = {} if is_loop else _rows(node, body)
    count = len(node.inputs) - (2 if is_loop else len(rows))
    skip = 2 if is_loop else 0
    results = body.outputs[1:] if is_loop else list(body.outputs)
    variables = [
        Carried(variable, update, _given(initial), final)
        for variable, update, initial, final in zip(
            body.inputs[skip : skip + count],
            results[:count],
            node.inputs[skip : skip + count],
            node.outputs,
            strict=False,
        )
    ]
    kept = [v for v in variables if origin(v.update) is v.variable]
    constants = {v.variable: v.initial for v in kept}
    counters = [v for v in variables if _counts(v)]
    step = {body.inputs[0], *(v.variable for v in counters)} if is_loop else {v.variable for v in counters}
    if any(v.final.uses() or v.final.is_graph_output() for v in counters):
        raise Unmatched("the number of its steps is used after it")
    states = [v for v in variables if v.variable not in constants and v.variable not in step]
    stacked = list(zip(results[count:], node.outputs[count:], strict=True))
    limits = _limits(node, body, step, constants) if is_loop else []
    return LoopStructure(rows, step, constants, kept, states, stacked, limits)


def origin(value: ir.Value, *, through: tuple[str, ...] = ("Identity",)) -> ir.Value:
    """The value that `value` is a copy of; `through` names the operators that copy."""
    maker = value.producer()
    while maker is not None and maker.op_type in through and maker.inputs[0] is not None:
        value = maker.inputs[0]
        maker = value.producer()
    return value


def number(value: ir.Value | None) -> float | None:
    """The one number that a constant holds."""
    tensor = None if value is None else ir.convenience.get_const_tensor(origin(value, through=("Identity", "Cast")))
    return float(tensor.numpy().item()) if tensor is not None and tensor.size == 1 else None


def _given(value: ir.Value | None) -> ir.Value:
    if value is None:
        raise Unmatched("a variable has no first value")
    return value


def _rows(node: ir.Node, body: ir.Graph) -> dict[ir.Value, ir.Value]:
    count = node.attributes.get_int("num_scan_inputs", 0)
    others = ("scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions")
    if any(any(node.attributes.get_ints(name, ())) for name in others):
        raise Unmatched("it scans backwards or along another axis")
    inputs = [_given(value) for value in node.inputs[len(node.inputs) - count :]]
    return dict(zip(body.inputs[len(body.inputs) - count :], inputs, strict=True))


def _counts(carried: Carried) -> bool:
    """Whether a variable starts at 0 and each step adds 1."""
    added = origin(carried.update).producer()
    if added is None or added.op_type != "Add" or number(carried.initial) != 0 or not _is_integer(carried.initial):
        return False
    one, two = added.inputs
    return (one is carried.variable and number(two) == 1) or (two is carried.variable and number(one) == 1)


def _is_integer(value: ir.Value) -> bool:
    return value.dtype is not None and np.issubdtype(value.dtype.numpy(), np.integer)


def _limits(node: ir.Node, body: ir.Graph, step: set[ir.Value], constants: dict[ir.Value, ir.Value]) -> list[ir.Value]:
    """M, and what a counter is kept less than."""
    most = [] if node.inputs[0] is None or (number(node.inputs[0]) or 0) >= _NO_LIMIT else [node.inputs[0]]
    limits = [*most]
    for counter, limit in _comparisons(body.outputs[0]):
        limit = constants.get(origin(limit, through=_CASTS), limit)
        after = counter.producer()
        if counter in step and any(_same(limit, other) for other in most):
            continue  # the step that is being made has a number below M in any case
        if after is None or after.op_type != "Add" or not _is_next(after, step):
            raise Unmatched("it does not end at a number of steps")
        limits.append(limit)
    starts = [] if node.inputs[1] is None or number(node.inputs[1]) == 1 else _comparisons(node.inputs[1])
    for counter, limit in starts:
        if number(counter) != 0 or not any(_same(limit, other) for other in limits):
            raise Unmatched("whether it starts depends on more than its number of steps")
    return limits


_CASTS = ("Identity", "Cast")
_NO_LIMIT = 2.0**31
"""More steps than any input has rows."""


def _is_next(node: ir.Node, step: set[ir.Value]) -> bool:
    one, two = node.inputs
    return (one in step and number(two) == 1) or (two in step and number(one) == 1)


def _same(one: ir.Value, two: ir.Value) -> bool:
    one, two = origin(one, through=_CASTS), origin(two, through=_CASTS)
    return one is two or (number(one) is not None and number(one) == number(two))


def _comparisons(condition: ir.Value) -> list[tuple[ir.Value, ir.Value]]:
    """The pairs (counter, limit) of the Less that a condition is the conjunction of."""
    maker = origin(condition).producer()
    if maker is None or None in maker.inputs or maker.op_type not in ("And", "Less"):
        raise Unmatched("it does not end at a number of steps")
    one, two = (origin(_given(value), through=_CASTS) for value in maker.inputs)
    return [(one, two)] if maker.op_type == "Less" else [*_comparisons(one), *_comparisons(two)]

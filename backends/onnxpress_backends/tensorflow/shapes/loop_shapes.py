"""Shapes of what loops carry, which ONNX does not infer: a variable of a Loop may change its shape from step to step.

A variable is taken to have the shape it starts with, until the body is seen to give it another: then the sizes that
differ are unknown, and where the ranks differ the rank.  That is repeated until nothing changes, for all loops at once,
so that nested ones settle together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from onnxpress.verify import infer_shapes

_Known = dict[ir.Value, "ir.Shape | None"]
"""Shape of each variable of a loop, as far as it is settled; None: not even the rank is known."""


def infer(model: ir.Model) -> None:
    """Infer the types and shapes of `model`, those inside of loops included; changes it.

    Raises:
        InvalidModel: What is written in the graph contradicts what its operators give.
    """
    nodes = list(model.graph.all_nodes())
    loops = [node for node in nodes if node.domain == "" and node.op_type in ("Loop", "Scan")]
    inside = {value: value.shape for node in nodes for value in node.outputs} if loops else {}
    infer_shapes(model)
    known: _Known = {}
    while _begin(loops, known) or _settle(loops, known):
        for value, shape in inside.items():
            value.shape = shape
        for node in loops:
            _write(node, known)
        infer_shapes(model)


def _begin(loops: Sequence[ir.Node], known: _Known) -> bool:
    """Take the shapes that variables start with, and those of slices; whether there is anything new."""
    new = False
    for loop in loops:
        for first, before, _, _ in _variables(loop):
            shape = first.shape if before.shape is None else before.shape
            if before not in known and shape is not None:
                new |= _note(before, shape, first, known)
        for source, before, axis in _slices(loop):
            if source.shape is not None:
                sizes = list(source.shape)
                del sizes[axis]
                new |= _note(before, ir.Shape(sizes), source, known)
    return new


def _settle(loops: Sequence[ir.Node], known: _Known) -> bool:
    """Give up what a step changes of the shapes that are known; whether there is anything."""
    changed = False
    for loop in loops:
        for first, before, after, _ in _variables(loop):
            if before in known:
                changed |= _note(before, _common(_common(known[before], after.shape), first.shape), first, known)
    return changed


def _note(variable: ir.Value, shape: ir.Shape | None, like: ir.Value, known: _Known) -> bool:
    if variable in known and known[variable] == shape:
        return False
    known[variable], variable.type = shape, like.type
    return True


def _write(loop: ir.Node, known: _Known) -> None:
    """Write down what is known, for the variables of a body and for what they are in the end."""
    for _, before, _, final in _variables(loop):
        before.shape = known.get(before)
        if before.shape is not None:
            final.shape = before.shape
    for _, before, _ in _slices(loop):
        before.shape = known.get(before)


def _variables(loop: ir.Node) -> Iterator[tuple[ir.Value, ir.Value, ir.Value, ir.Value]]:
    """Each variable: before the loop, before a step, after a step, after the loop."""
    body = loop.attributes["body"].as_graph()
    skip = 2 if loop.op_type == "Loop" else 0
    count = len(body.inputs) - skip - (0 if skip else loop.attributes["num_scan_inputs"].as_int())
    results = body.outputs[1 if skip else 0 :]
    for first, before, after, final in zip(
        loop.inputs[skip : skip + count], body.inputs[skip : skip + count], results, loop.outputs, strict=False
    ):
        if first is not None:
            yield first, before, after, final


def _slices(loop: ir.Node) -> Iterator[tuple[ir.Value, ir.Value, int]]:
    """Each input that a Scan slices: itself, its slice in the body, the axis."""
    if loop.op_type == "Loop":
        return
    count = loop.attributes["num_scan_inputs"].as_int()
    axes: Sequence[int] = loop.attributes.get_ints("scan_input_axes") or [0] * count
    body = loop.attributes["body"].as_graph()
    for source, before, axis in zip(loop.inputs[-count:], body.inputs[-count:], axes, strict=True):
        if source is not None:
            yield source, before, axis


def _common(one: ir.Shape | None, two: ir.Shape | None) -> ir.Shape | None:
    if one is None or two is None or len(one) != len(two):
        return None
    return ir.Shape([size if size == other else None for size, other in zip(one, two, strict=True)])

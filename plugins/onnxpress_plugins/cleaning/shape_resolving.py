"""Replace the computation of a shape by its result, where the sizes it picks are known.

Converters compute the target of a Reshape at run time, ``Concat(Gather(Shape(x), 0), 8, 64)``, though only the batch
is open.  What is known of shapes, and of the integers computed from them, is followed through the graph in symbols
(`shape_following`).  Then

* an integer tensor of which every element is known becomes an initialiser;
* the target of a Reshape becomes one if a single size is open, ``-1``, or if every open one is that of the input on the
  same axis, ``0``;
* the target of an Expand becomes one if every open size is that of the input: ``1``;
* a dimension that is found to be another, ``unk__3 = N``, takes its name.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.constants import become, constant, initializer, remove
from onnxpress.naming import Names, title
from onnxpress.records import Notes
from onnxpress_plugins.cleaning.output_shapes import reshaped
from onnxpress_plugins.cleaning.shape_facts import Contents, ShapeFacts, Sizes
from onnxpress_plugins.cleaning.shape_following import follow
from onnxpress_plugins.cleaning.symbolic_sizes import Size


class ResolveShapes(ir.passes.InPlacePass):
    """Computes shapes now instead of at run time."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep, by what is known before it."""
        names, facts = Names(model), follow(model)
        resolved = 0
        for graph in model.graphs():
            for node in graph:
                resolved += _resolve_contents(node, facts) or _resolve_target(node, facts, names)
        for node in model.graph.all_nodes():
            for output in node.outputs:
                if not output.is_graph_output():
                    facts.name_dimensions(output)
        self.notes.count("shapes resolved", resolved)
        return ir.passes.PassResult(model, bool(resolved))


def reshape_target(source: Sizes | None, target: Contents, *, copies: bool) -> list[int] | None:
    """The constant that has the effect of `target` on a Reshape, None if there is none.

    Args:
        source: The shape of what is reshaped.
        target: The shape asked for, computed by the model.
        copies: Whether 0 stands for the input's size on that axis.
    """
    sizes = reshaped(source, target, copies=copies)
    numbers = [size.number if size is not None and size.is_number else None for size in sizes]
    if any(number is not None and number <= 0 for number in numbers):
        return None
    if numbers.count(None) < 2:
        return [-1 if number is None else number for number in numbers]
    for axis, (size, asked) in enumerate(zip(sizes, target, strict=True)):
        here = source[axis] if source is not None and axis < len(source) else None
        if numbers[axis] is None and copies and size is not None and size == here:
            numbers[axis] = 0
        elif numbers[axis] is None and asked == Size(-1):
            numbers[axis] = -1
    return [number for number in numbers if number is not None] if None not in numbers else None


def expand_target(source: Sizes, target: Contents) -> list[int] | None:
    """The constant that has the effect of `target` on an Expand of shape `source`, None if there is none."""
    padded = [*[None] * (len(target) - len(source)), *source[max(0, len(source) - len(target)) :]]
    numbers = []
    for size, here in zip(target, padded, strict=True):
        if size is None or not (size.is_number or size == here) or size.number < 1:
            return None
        numbers.append(size.number if size.is_number else 1)
    return numbers


def _resolve_contents(node: ir.Node, facts: ShapeFacts) -> bool:
    output = node.outputs[0]
    contents = facts.contents(output)
    if contents is None or output.is_graph_output() or constant(output) is not None:
        return False
    numbers = [size.number for size in contents if size is not None and size.is_number]
    if len(numbers) < len(contents) or output.dtype is None or output.shape is None:
        return False
    become(output, np.array(numbers, output.dtype.numpy()).reshape((len(numbers),) * len(output.shape)))
    remove([node])
    return True


def _resolve_target(node: ir.Node, facts: ShapeFacts, names: Names) -> bool:
    if node.domain != "" or node.op_type not in ("Reshape", "Expand") or constant(node.inputs[1]) is not None:
        return False
    source, target = facts.shape(node.inputs[0]), facts.contents(node.inputs[1])
    if target is None:
        return False
    if node.op_type == "Reshape":
        numbers = reshape_target(source, target, copies=node.attributes.get_int("allowzero", 0) == 0)
    else:
        numbers = None if source is None else expand_target(source, target)
    if numbers is None:
        return False
    assert node.graph is not None
    shape = initializer(node.graph, names.fresh(f"{title(node)}_shape"), np.array(numbers, np.int64))
    node.replace_input_with(1, shape)
    return True

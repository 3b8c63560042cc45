"""Replace the computation of a shape by its result, where the sizes it picks are known.

Converters compute the target of a Reshape at run time, ``Concat(Gather(Shape(x), 0), 8, 64)``, though only the batch
is open.  Sizes are followed through Shape, Cast, Gather, Slice, Squeeze, Unsqueeze and Concat; a tensor of which every
size is known becomes an initialiser, and a Reshape whose target has one unknown size takes ``-1`` for it, because the
number of elements decides that one.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.records import Notes
from onnxpress_plugins.constants import array, become, constant, initializer, remove
from onnxpress_plugins.naming import Names, title

Sizes = list[int | None]
"""Elements of an integer tensor of rank 0 or 1; None where one is known at run time only."""


class ResolveShapes(ir.passes.InPlacePass):
    """Computes shapes now instead of at run time."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep in topological order, in which what is known of a value is passed on."""
        names, known = Names(model), dict[ir.Value, Sizes]()
        resolved = 0
        for graph in model.graphs():
            for node in graph:
                resolved += node.domain == "" and _resolve(node, known, names)
        self.notes.count("shapes resolved", resolved)
        return ir.passes.PassResult(model, bool(resolved))


def _resolve(node: ir.Node, known: dict[ir.Value, Sizes], names: Names) -> bool:
    if node.op_type == "Reshape":
        return _resolve_target(node, known, names)
    output = node.outputs[0]
    if output.dtype not in (ir.DataType.INT64, ir.DataType.INT32) or output.shape is None or len(output.shape) > 1:
        return False
    sizes = _computed(node, known)
    if sizes is None:
        return False
    if None in sizes or output.is_graph_output():
        known[output] = sizes
        return False
    numbers = np.array(sizes, output.dtype.numpy())
    become(output, numbers if len(output.shape) else numbers.reshape(()))
    remove([node])
    return True


def _resolve_target(node: ir.Node, known: dict[ir.Value, Sizes], names: Names) -> bool:
    target = node.inputs[1]
    sizes = None if target is None else known.get(target)
    if sizes is None or sizes.count(None) != 1 or any(size is not None and size <= 0 for size in sizes):
        return False
    assert node.graph is not None
    numbers = np.array([-1 if size is None else size for size in sizes], np.int64)
    node.replace_input_with(1, initializer(node.graph, names.fresh(f"{title(node)}_shape"), numbers))
    return True


def _computed(node: ir.Node, known: dict[ir.Value, Sizes]) -> Sizes | None:
    """The elements of the node's output, None when the node is not about shapes."""
    value = node.inputs[0] if node.inputs else None
    if node.op_type == "Shape":
        sizes = None if value is None or value.shape is None else [_size(dim) for dim in value.shape]
        return sizes and sizes[node.attributes.get_int("start", 0) : node.attributes.get_int("end", len(sizes))]
    if node.op_type == "Concat":
        parts = [_sizes(part, known) for part in node.inputs]
        return None if None in parts else [size for part in parts if part is not None for size in part]
    sizes = _sizes(value, known)
    if sizes is None or node.op_type in ("Cast", "Squeeze", "Unsqueeze"):
        return sizes
    if node.op_type == "Gather":
        places = array(node.inputs[1])
        return None if places is None else [sizes[place] for place in places.reshape(-1)]
    if node.op_type == "Slice":
        bounds = [array(bound) for bound in (*node.inputs[1:3], *node.inputs[4:5])]
        numbers = [int(bound.item()) for bound in bounds if bound is not None and bound.size == 1]
        return sizes[slice(*numbers)] if len(numbers) == len(bounds) else None
    return None


def _sizes(value: ir.Value | None, known: dict[ir.Value, Sizes]) -> Sizes | None:
    tensor = constant(value)
    if tensor is None or value is None:
        return None if value is None else known.get(value)
    if tensor.dtype not in (ir.DataType.INT64, ir.DataType.INT32) or len(tensor.shape) > 1:
        return None
    return [int(size) for size in tensor.numpy().reshape(-1)]


def _size(dim: int | ir.SymbolicDim) -> int | None:
    return dim if isinstance(dim, int) else None

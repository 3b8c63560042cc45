"""Two multiplications by constants become one.

    y = (x * a) * b = x * (a * b)

Multiplication of real numbers is associative; in floating point one rounding is saved and another moves, so that
outputs agree to two units in the last place, not bit for bit.

Conditions, or the second Mul is declined:
- nothing else uses x * a, which would have to be computed all the same;
- a * b is finite, and zero only where a or b is;
- a * b is no larger than the larger of a and b (a column times a row would be a matrix).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.kinds import Context, Pass


class MergeScales(ir.passes.InPlacePass):
    """Merges every chain of Mul by constants, in subgraphs too."""

    def __init__(self, context: Context, *, only_scalars: bool) -> None:
        super().__init__()
        self.notes, self.only_scalars = context.notes, only_scalars

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Go through the nodes in order, so that a chain shrinks from its head."""
        merged = sum(self._merge(node) for node in list(model.graph.all_nodes()))
        self.notes.count("Mul merged into the next Mul", merged)
        return ir.passes.PassResult(model, modified=merged > 0)

    def _merge(self, second: ir.Node) -> bool:
        product, b = _by_constant(second)
        first = None if product is None else product.producer()
        if first is None or b is None:
            return False
        x, a = _by_constant(first)
        if x is None or a is None:
            return False
        scale, reason = self._scale(first, a, b)
        if scale is None:
            self.notes.decline(second, reason)
            return False
        assert second.graph is not None and first.graph is not None
        value = _initializer(f"{second.outputs[0].name}_merged_scale", scale)
        second.graph.register_initializer(value)
        second.replace_input_with(0, x)
        second.replace_input_with(1, value)
        first.graph.remove(first, safe=True)
        for constant in (a, b):
            if not constant.uses() and constant.graph is not None:
                del constant.graph.initializers[constant.name or ""]
        return True

    def _scale(self, first: ir.Node, a: ir.Value, b: ir.Value) -> tuple[np.ndarray | None, str]:
        if len(first.outputs[0].uses()) > 1 or first.outputs[0].is_graph_output():
            return None, "its input is used elsewhere"
        left, right = _array(a), _array(b)
        if self.only_scalars and max(left.size, right.size) > 1:
            return None, "option only_scalars is set"
        with np.errstate(over="ignore", under="ignore"):
            scale = left * right
        if not np.isfinite(scale).all() or ((scale == 0) & (left != 0) & (right != 0)).any():
            return None, "the product of the constants leaves the range of its type"
        if scale.size > max(left.size, right.size):
            return None, "the product of the constants is larger than both"
        return scale, ""


def _by_constant(node: ir.Node) -> tuple[ir.Value | None, ir.Value | None]:
    """The variable and the constant factor of a floating-point Mul; None, None of anything else."""
    if node.op_type != "Mul" or node.domain:
        return None, None
    left, right = node.inputs
    if left is None or right is None or left.dtype not in (ir.DataType.FLOAT, ir.DataType.DOUBLE):
        return None, None
    if _is_constant(left) == _is_constant(right):
        return None, None
    return (right, left) if _is_constant(left) else (left, right)


def _is_constant(value: ir.Value) -> bool:
    return value.is_initializer() and not value.is_graph_input()


def _initializer(name: str, array: np.ndarray) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    return ir.Value(name=name, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape))


def _array(value: ir.Value) -> np.ndarray:
    assert value.const_value is not None
    return value.const_value.numpy()


def _build(context: Context, *, only_scalars: bool = False) -> ir.passes.PassBase:
    return MergeScales(context, only_scalars=only_scalars)


MERGE_SCALES = Pass(name="merge-scales", summary="Merge consecutive multiplications by constants", build=_build)

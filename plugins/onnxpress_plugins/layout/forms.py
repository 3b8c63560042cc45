"""How a node is written when the axes of its data have another order, for each way in which operators name axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress_plugins.layout.arrangement import Arrangement, Order

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a node is written for one order of its axes.

    Attributes:
        inputs: What it takes of each input, over the axes that input has now.
        outputs: The order of each output's axes.
        attributes: Attributes that change.
        operands: Constant inputs that change, by index.
        picked: Inputs with numbers for the axes, by index, and which of the numbers are taken, in which order.
        result: Which numbers of the result are taken, in which order; all as they come where it is empty.
    """

    inputs: tuple[Arrangement, ...]
    outputs: tuple[Order, ...]
    attributes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    operands: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    picked: Mapping[int, Sequence[int]] = field(default_factory=dict)
    result: Sequence[int] = ()


def as_they_are(values: Sequence[ir.Value | None]) -> tuple[Order, ...]:
    """Values whose axes keep their order."""
    return tuple(tuple(range(_rank(value))) for value in values)


def _rank(value: ir.Value | None) -> int:
    return 0 if value is None or value.shape is None else len(value.shape)


def elementwise(node: ir.Node, order: Order) -> Form | None:
    """Broadcasting aligns the operands with the last axes of the output."""
    if len(order) != _rank(node.outputs[0]):
        return None
    return Form(inputs=tuple(_broadcast(value, order) for value in node.inputs), outputs=(order,) * len(node.outputs))


def _broadcast(value: ir.Value | None, order: Order) -> Arrangement:
    """What an operand becomes that broadcasting aligns with the last axes; a single number stays as it is."""
    if value is None or value.shape is None or all(size == 1 for size in value.shape):
        return tuple(range(_rank(value)))
    places = [axis - len(order) + len(value.shape) for axis in order]
    while places[0] < 0:
        del places[0]
    return tuple(place if place >= 0 else None for place in places)


def _form(
    node: ir.Node,
    order: Order,
    *,
    without: Sequence[int] = (),
    attributes: Mapping[str, int | Sequence[int]] | None = None,
    operands: Mapping[int, NDArray[Any]] | None = None,
    picked: Mapping[int, Sequence[int]] | None = None,
) -> Form:
    """A form in which the first input follows `order` and the others stay; the outputs lack the axes `without`."""
    kept = [axis for axis in range(len(order)) if axis not in without]
    left = tuple(kept.index(axis) for axis in order if axis in kept)
    return Form(
        inputs=(order, *as_they_are(node.inputs[1:])),
        outputs=(left,) * len(node.outputs),
        attributes=attributes or {},
        operands=operands or {},
        picked=picked or {},
    )


def along(node: ir.Node, order: Order, *, default: int = 0) -> Form | None:
    """``axis`` is an axis of the first input; the kernels of Softmax and its kin transpose unless it is the last."""
    rank = len(order)
    if rank != _rank(node.inputs[0]) or (node.op_type == "Gather" and _rank(node.inputs[1]) != 1):
        return None
    axis = node.attributes.get_int("axis", default) % rank
    if node.op_type in ("Softmax", "LogSoftmax", "Hardmax") and axis == rank - 1 and order[-1] != axis:
        return None
    dropped = () if node.attributes.get_int("keepdims", 1) else (axis,)
    return _form(node, order, without=dropped, attributes={"axis": order.index(axis)})


def joining(node: ir.Node, order: Order) -> Form | None:
    """``axis`` is an axis of all inputs."""
    if len(order) != _rank(node.outputs[0]):
        return None
    axis = node.attributes.get_int("axis") or 0
    return Form(
        inputs=(order,) * len(node.inputs), outputs=(order,), attributes={"axis": order.index(axis % len(order))}
    )


def cumulating(node: ir.Node, order: Order) -> Form | None:
    """Operand 1 is the axis."""
    axis = array(node.inputs[1])
    if axis is None or len(order) != _rank(node.inputs[0]):
        return None
    place = order.index(int(axis.reshape(())) % len(order))
    return _form(node, order, operands={1: np.full_like(axis, place)})


def normalizing(node: ir.Node, order: Order) -> Form | None:
    """The axes from ``axis`` on are normalised together, and stay."""
    rank = _rank(node.inputs[0])
    first = node.attributes.get_int("axis", -1) % max(rank, 1)
    trailing = tuple(range(first, rank))
    return _form(node, order) if len(order) == rank and order[first:] == trailing else None


def reducing(node: ir.Node, order: Order) -> Form | None:
    """``axes``, an attribute or operand 1, are reduced; without them all are."""
    given = node.inputs[1] if len(node.inputs) > 1 else None
    numbers = node.attributes.get_ints("axes") if given is None else array(given)
    if len(order) != _rank(node.inputs[0]) or (given is not None and numbers is None):
        return None
    axes = [int(axis) % len(order) for axis in (numbers if numbers is not None else ())]
    if not axes and node.attributes.get_int("noop_with_empty_axes"):
        return None
    dropped = () if node.attributes.get_int("keepdims", 1) else axes or range(len(order))
    moved = [order.index(axis) for axis in axes]
    if given is not None:
        return _form(node, order, without=dropped, operands={1: np.array(moved, np.int64)})
    return _form(node, order, without=dropped, attributes={"axes": moved} if moved else {})


def quantizing(node: ir.Node, order: Order) -> Form | None:
    """``axis`` is that of the scales, if there are several."""
    scale = node.inputs[1]
    if len(order) != _rank(node.inputs[0]) or node.attributes.get_int("block_size"):
        return None
    if scale is None or scale.shape is None or all(size == 1 for size in scale.shape):
        return _form(node, order)
    return _form(node, order, attributes={"axis": order.index(node.attributes.get_int("axis", 1) % len(order))})


def per_axis(node: ir.Node, order: Order, *, naming_axes: int | None = None) -> Form | None:
    """Operand 1 has a number for each axis, or two; or else operand `naming_axes` says which axes they are for."""
    if naming_axes is not None and len(node.inputs) > naming_axes and node.inputs[naming_axes] is not None:
        return axes_named(node, order, index=naming_axes)
    length, rank = _length(node.inputs[1]), len(order)
    if rank != _rank(node.inputs[0]) or length not in (rank, 2 * rank):
        return None
    return _form(node, order, picked={1: [axis + start for start in range(0, length, rank) for axis in order]})


def _length(value: ir.Value | None) -> int:
    """The size of a vector; 0 if it is not known."""
    size = value.shape[0] if value is not None and value.shape is not None and len(value.shape) == 1 else 0
    return size if isinstance(size, int) else 0


def axes_named(node: ir.Node, order: Order, *, index: int) -> Form | None:
    """Operand `index` lists axes."""
    axes = array(node.inputs[index])
    if axes is None or len(order) != _rank(node.inputs[0]):
        return None
    moved = [order.index(int(axis) % len(order)) for axis in axes]
    return _form(node, order, operands={index: np.array(moved, axes.dtype)})


def expanding(node: ir.Node, order: Order) -> Form | None:
    """Operand 1 is a shape that the first input is broadcast with."""
    if len(order) != _rank(node.outputs[0]):
        return None
    shape, length = array(node.inputs[1]), _length(node.inputs[1])
    form = Form(inputs=(_broadcast(node.inputs[0], order), (0,)), outputs=(order,))
    if length == len(order):
        return replace(form, picked={1: order})
    if shape is None:
        return None
    sizes = np.concatenate([np.ones(len(order) - length, shape.dtype), shape])
    return replace(form, operands={1: sizes[list(order)]})


def slicing(node: ir.Node, order: Order) -> Form | None:
    """Operand 3 names the axes that are cut; without it they are the first ones."""
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        return axes_named(node, order, index=3)
    length = _length(node.inputs[1])
    if not length or len(order) != _rank(node.inputs[0]):
        return None
    return _form(node, order, operands={3: np.array([order.index(axis) for axis in range(length)], np.int64)})


def resizing(node: ir.Node, order: Order) -> Form | None:
    """Operand 2 has a scale for each axis, or operand 3 a size; onnxruntime interpolates behind two axes that stay."""
    index = 3 if len(node.inputs) > 3 and node.inputs[3] is not None else 2
    source = node.inputs[0]
    if source is None or source.shape is None or not len(source.shape) == len(order) == _length(node.inputs[index]):
        return None
    regions = node.inputs[1] is not None and node.inputs[1].shape != ir.Shape([0])
    if regions or "axes" in node.attributes:
        return None
    numbers, stay = array(node.inputs[index]), [1] * len(order) if index == 2 else source.shape
    leading = numbers is not None and all(numbers[axis] == stay[axis] for axis in order[:2])
    if not leading and node.attributes.get_string("mode", "nearest") != "nearest":
        return None
    return _form(node, order, picked={index: order})


def measuring(node: ir.Node, order: Order) -> Form | None:
    """The result has the size of each axis from ``start`` to ``end``."""
    rank = _rank(node.inputs[0])
    if len(order) != rank:
        return None
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", rank)
    sizes = [order.index(axis) for axis in range(rank)[start:end]]
    return Form(inputs=(order,), outputs=((0,),), result=sizes)

"""Layers as decomposition sees them: one kernel, its axes, and how often it is applied.

    Conv      [outputs, inputs, kernel...] as it is; grouped ones are declined
    Gemm      the same with no axes, transposed unless ``transB``
    MatMul    by a constant matrix, transposed

Only a constant float weight that nobody else uses is taken.  How often a kernel is applied follows from the shapes of
what it is applied to (`nominal_sizes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.decomposition.stacks import Axis, Form, whole
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_plugins.constants import array, constant
from onnxpress_plugins.decomposition.factorings import full_ranks
from onnxpress_plugins.decomposition.nominal_sizes import NOMINAL, Sizes
from onnxpress_plugins.naming import described

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

OPERATORS = ("Conv", "Gemm", "MatMul")


class Unfit(UnsupportedModel):
    """A layer that cannot be decomposed; the message is the reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A linear layer of which the kernel can be factored.

    Attributes:
        node: The node.
        weight: ``(outputs, inputs, *kernel)``, finite floats; a view of what the node has.
        axes: Of the kernel; none for a matrix.
        repeats: Samples of a batch, or rows that a matrix multiplies.
    """

    node: ir.Node
    weight: Array
    axes: tuple[Axis, ...]
    repeats: int

    @property
    def name(self) -> str:
        """The node's name; that of its output if it has none."""
        return self.node.name or self.node.outputs[0].name or ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates as it is."""
        return self.cost(whole(self.axes), ())

    def cost(self, form: Form, ranks: tuple[int, ...]) -> int:
        """Multiply-accumulates of a stack in its place."""
        outputs, inputs = self.weight.shape[:2]
        return self.repeats * form.macs((inputs, *ranks, outputs), self.axes)

    def full_ranks(self, form: Form) -> tuple[int, ...]:
        """The ranks at which nothing is lost."""
        return full_ranks(form, self.weight.shape)


def layer(node: ir.Node, sizes: Sizes) -> Layer:
    """`node`, one of `OPERATORS`, as a layer.

    Args:
        node: The node.
        sizes: Of values, as `nominal_sizes` gives them.

    Raises:
        Unfit: It cannot be decomposed.
        InvalidModel: Its weight holds NaN or infinity.
    """
    weight = _weight(node)
    if not np.isfinite(weight).all():
        raise InvalidModel(f"the weight {node.inputs[1].name!r} of {described(node)} holds NaN or infinity")  # type: ignore[union-attr]
    if node.op_type == "Conv":
        return _convolution(node, weight, sizes)
    if weight.ndim != 2:
        raise Unfit("it multiplies stacks of matrices")
    transposed = node.op_type == "Gemm" and node.attributes.get_int("transB", 0) == 1
    output = sizes(node.outputs[0])
    return Layer(node=node, weight=weight if transposed else weight.T, axes=(), repeats=prod((output or (1,))[:-1]))


def _weight(node: ir.Node) -> Array:
    value = node.inputs[1]
    maker = None if value is None else value.producer()
    if maker is not None and maker.op_type == "DequantizeLinear":
        raise Unfit("its weight is quantised already")
    tensor, numbers = constant(value), array(value)
    if value is None or tensor is None or numbers is None:
        raise Unfit("its weight is no constant")
    if not tensor.dtype.is_floating_point():
        raise Unfit(f"its weight is of type {tensor.dtype.name}")
    if len(value.uses()) > 1 or value.is_graph_output():
        raise Unfit("its weight is used elsewhere, too")
    return numbers


def _convolution(node: ir.Node, weight: Array, sizes: Sizes) -> Layer:
    groups, rank = node.attributes.get_int("group", 1), weight.ndim - 2
    if groups > 1:
        raise Unfit("it is depthwise" if weight.shape[1] == 1 else f"it has {groups} groups")
    strides = node.attributes.get_ints("strides", (1,) * rank)
    dilations = node.attributes.get_ints("dilations", (1,) * rank)
    output = sizes(node.outputs[0]) or (1, *(NOMINAL,) * (rank + 1))
    data = sizes(node.inputs[0]) or (1, 1, *(size * stride for size, stride in zip(output[2:], strides, strict=True)))
    axes = tuple(
        Axis(
            kernel=weight.shape[at + 2],
            stride=strides[at],
            dilation=dilations[at],
            pads=_pads(node, at, rank, (weight.shape[at + 2] - 1) * dilations[at] + 1, strides[at]),
            size_in=data[at + 2],
            size_out=output[at + 2],
        )
        for at in range(rank)
    )
    return Layer(node=node, weight=weight, axes=axes, repeats=output[0])


def _pads(node: ir.Node, at: int, rank: int, reach: int, stride: int) -> tuple[int, int] | None:
    """Zeros before and behind axis `at`, None where the run decides them."""
    auto = node.attributes.get_string("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = node.attributes.get_ints("pads", (0,) * 2 * rank)
        return pads[at], pads[at + rank]
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    size = 0 if stride == 1 or auto == "VALID" else None if shape is None else shape[at + 2]
    if not isinstance(size, int):
        return None
    missing = 0 if auto == "VALID" else max((-(-size // stride) - 1) * stride + reach - size, 0)
    return (missing // 2, missing - missing // 2) if auto == "SAME_UPPER" else (missing - missing // 2, missing // 2)

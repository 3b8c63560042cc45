"""Conv, ConvTranspose, Gemm and MatMul seen as one thing: ``y[o] = sum(i, t) W[o, i, t] * x[i, t] + b[o]``.

Every weight, reshaped, has four axes: groups, two for output and input channels of a group in either order, and taps.

| operator      | weight                     | four axes            | output channels |
|---------------|----------------------------|----------------------|-----------------|
| Conv          | [O, I/g, kernel...]        | [g, O/g, I/g, taps]  | axis 1          |
| ConvTranspose | [I, O/g, kernel...]        | [g, I/g, O/g, taps]  | axis 2          |
| Gemm, transB  | [O, I]                     | [1, O, I, 1]         | axis 1          |
| Gemm, MatMul  | [I, O]                     | [1, I, O, 1]         | axis 2          |

So an affine map behind a layer, ``a * y + t``, and one before it, ``W(s * x + t) + b``, are each one line for all four:

    behind:  W' = a W    b' = a b + t             ahead:  W' = W s    b' = b + sum(i, taps) W t

A weight that is stored as integers (`stored_weights`) is scaled by output channel only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant, give, initializer
from onnxpress.naming import Names, described, title
from onnxpress.rewiring import replace_uses
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle
from onnxpress_plugins.folding.stored_weights import StoredWeight, stored_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A linear node and where its weight's channels are.

    Attributes:
        node: The node; input 0 is the data, input 1 the weight.
        four: Shape of the weight as four axes.
        out_axis: Axis of `four`, 1 or 2, that holds the output channels of a group.
        rank: Rank of data and output; None when unknown (MatMul).
        channel_axis: Axis of the channels in data and output, counted from the end.
        stored: The weight, if it is stored as integers.
    """

    node: ir.Node
    four: tuple[int, int, int, int]
    out_axis: int
    rank: int | None
    channel_axis: int
    stored: StoredWeight | None = None

    @property
    def outputs(self) -> Channels:
        """The channels of the output."""
        return Channels((self.channel_axis,), self.rank, (self.four[0] * self.four[self.out_axis],))

    @property
    def inputs(self) -> Channels:
        """The channels of the data."""
        return Channels((self.channel_axis,), self.rank, (self.four[0] * self.four[3 - self.out_axis],))

    @property
    def takes_bias(self) -> bool:
        """Whether the operator can add a bias itself: a MatMul of two matrices is a Gemm, one of a stack is none."""
        return self.node.op_type != "MatMul" or self.rank == 2

    def behind(self, affine: Affine) -> Folded:
        """This layer followed by `affine` (over its outputs)."""
        return self._fold(self.out_axis, affine.scale, affine.scale * self._bias() + affine.shift)

    def ahead(self, affine: Affine) -> Folded:
        """This layer after `affine` (over its inputs); exact only if every output sees every tap."""
        bias = self._bias()
        if affine.shifts:
            weight = self._weight().sum(axis=3, keepdims=True, dtype=np.float64)
            moved = (weight * self._spread(affine.shift, 3 - self.out_axis)).sum(axis=(3 - self.out_axis, 3))
            bias = bias + self.node.attributes.get_float("alpha", 1.0) * moved.reshape(-1)
        return self._fold(3 - self.out_axis, affine.scale, bias)

    def _fold(self, axis: int, scale: NDArray[np.float64], bias: NDArray[np.float64]) -> Folded:
        dtype = self._weight().dtype if self.stored is None else np.dtype(np.float32)
        with np.errstate(over="ignore"):
            weight = self._scaled(axis, scale) if np.any(scale != 1) else None
            offset = bias.astype(dtype)
        made = [offset] if weight is None or isinstance(weight, StoredWeight) else [weight, offset]
        if not all(np.isfinite(numbers).all() for numbers in made):
            raise Obstacle(f"{described(self.node)} would get NaN or infinity in its {dtype} weight or bias")
        return Folded(self, weight, offset)

    def _scaled(self, axis: int, scale: NDArray[np.float64]) -> NDArray[Any] | StoredWeight:
        if self.stored is not None:
            return self.stored.scaled(self._by_output(axis, scale), self.out_axis - 1)
        weight = self._weight()
        scaled = np.empty_like(weight)  # filled in float64 and rounded, a buffer at a time
        np.multiply(weight, self._spread(scale, axis), out=scaled, dtype=np.float64, casting="unsafe")
        return scaled.reshape(_shape(self.node.inputs[1]))

    def _by_output(self, axis: int, scale: NDArray[np.float64]) -> NDArray[np.float64]:
        """The factor of each output channel of an integer weight, the only one it can have."""
        factors = np.broadcast_to(self._spread(scale, axis), (*self.four[:3], 1))
        lanes: NDArray[np.float64] = np.moveaxis(factors, self.out_axis, 1).reshape(self.outputs.size, -1)
        if np.any(lanes != lanes[:, :1]):
            raise Obstacle(f"{described(self.node)} has an integer weight, which has no scale for each input channel")
        if self.node.op_type == "ConvTranspose" and self.four[0] > 1:
            raise Obstacle(f"{described(self.node)} has an integer weight whose groups share their scales")
        return lanes[:, 0]

    def _weight(self) -> NDArray[Any]:
        if self.stored is not None:
            return self.stored.numbers.reshape(self.four)
        weight = array(self.node.inputs[1])
        assert weight is not None
        return weight.reshape(self.four)

    def _spread(self, vector: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        shape = [self.four[0], 1, 1, 1]
        shape[axis] = self.four[axis]
        return vector.reshape(shape)

    def _bias(self) -> NDArray[np.float64]:
        value = self.node.inputs[2] if len(self.node.inputs) > 2 else None
        if value is None:
            return np.zeros(self.outputs.size)
        bias = array(value)
        if bias is None or bias.size not in (1, self.outputs.size) or bias.shape[-1:] not in ((), (bias.size,)):
            raise Obstacle(f"the bias {value.name!r} of {described(self.node)} is not one constant number per channel")
        beta = self.node.attributes.get_float("beta", 1.0)
        return np.broadcast_to(beta * bias.astype(np.float64).reshape(-1), (self.outputs.size,))


@dataclass(frozen=True, eq=False)
class Folded:
    """What a layer becomes; nothing changes until `store`.  `weight` is None when it stays."""

    layer: Layer
    weight: NDArray[Any] | StoredWeight | None
    bias: NDArray[Any]

    def store(self, names: Names) -> None:
        """Write weight and bias into the graph; a MatMul that gets a bias becomes a Gemm, or gets an Add behind it."""
        node = self.layer.node
        if isinstance(self.weight, StoredWeight):
            self.weight.store(node, 1, names)
        elif self.weight is not None:
            give(node, 1, self.weight, names, wish=f"{node.inputs[1].name}_folded")  # type: ignore[union-attr]
        has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
        if not has_bias and not np.any(self.bias):
            return
        if not self.layer.takes_bias:
            _add_behind(node, self.bias, names)
            return
        if node.op_type == "MatMul":
            node.op_type = "Gemm"
        give(node, 2, self.bias, names, wish=f"{title(node)}_bias")
        node.attributes.pop("beta", None)


def layer(node: ir.Node) -> Layer | None:
    """`node` as a linear layer, None when its operator is none.

    Raises:
        Obstacle: It is linear but nothing can be folded into it: its weight is no constant, or is laid out oddly.
    """
    if node.domain != "" or node.op_type not in _KINDS:
        return None
    weight, stored = constant(node.inputs[1]), stored_weight(node.inputs[1])
    if stored is None and (weight is None or not weight.dtype.is_floating_point()):
        raise Obstacle(f"the weight {_name(node.inputs[1])!r} of {described(node)} is not a float constant")
    shape = _shape(node.inputs[1])
    if node.op_type in ("Conv", "ConvTranspose"):
        groups = node.attributes.get_int("group", 1)
        four = (groups, shape[0] // groups, shape[1], prod(shape[2:]))
        out_axis = 1 if node.op_type == "Conv" else 2
        axis = 1 - len(shape)
        return Layer(node=node, four=four, out_axis=out_axis, rank=len(shape), channel_axis=axis, stored=stored)
    if len(shape) != 2 or node.attributes.get_int("transA", 0) != 0:
        raise Obstacle(f"{described(node)} multiplies batches of matrices or transposes its data")
    out_axis = 1 if node.attributes.get_int("transB", 0) else 2
    output = node.outputs[0].shape
    rank = 2 if node.op_type == "Gemm" else None if output is None else len(output)
    return Layer(node=node, four=(1, *shape, 1), out_axis=out_axis, rank=rank, channel_axis=-1, stored=stored)


def mixes_borders(node: ir.Node) -> bool:
    """Whether some outputs of a convolution see fewer taps than others, so that a shift before it varies."""
    kernel, attributes = prod(_shape(node.inputs[1])[2:]), node.attributes
    if node.op_type == "ConvTranspose":
        spread = prod(attributes.get_ints("strides", (1,))) != 1 or any(attributes.get_ints("output_padding", ()))
        return kernel != 1 or spread or "output_shape" in attributes
    if node.op_type == "Conv" and attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return kernel != 1
    return node.op_type == "Conv" and any(attributes.get_ints("pads", ()))


def _add_behind(node: ir.Node, bias: NDArray[Any], names: Names) -> None:
    assert node.graph is not None
    output, name = node.outputs[0], node.outputs[0].name
    shift = initializer(node.graph, names.fresh(f"{title(node)}_bias"), bias)
    add = ir.node("Add", [None, shift], name=names.fresh(f"{title(node)}_add_bias"))
    node.graph.insert_after(node, add)
    total = add.outputs[0]
    total.type, total.shape = output.type, output.shape
    total.meta.update(output.meta)
    output.meta.clear()
    replace_uses(output, total)
    add.replace_input_with(0, output)
    output.name, total.name = names.fresh(f"{name}_without_bias"), name


def _shape(value: ir.Value | None) -> tuple[int, ...]:
    stored = stored_weight(value)
    return tuple(cast(Any, constant(value)).shape.numpy()) if stored is None else stored.integers.shape


def _name(value: ir.Value | None) -> str:
    return "" if value is None or value.name is None else value.name

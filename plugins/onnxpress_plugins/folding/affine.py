"""Per-channel affine maps ``y[c] = scale[c] * x[c] + shift[c]``, and the operators that are one.

| operator                         | scale                          | shift                      |
|----------------------------------|--------------------------------|----------------------------|
| BatchNormalization (inference)   | gamma / sqrt(var + epsilon)    | beta - mean * scale        |
| Mul(x, k)                        | k                              | 0                          |
| Div(x, k)                        | 1 / k                          | 0                          |
| Add(x, k)                        | 1                              | k                          |
| Sub(x, k), Sub(k, x)             | 1, -1                          | -k, k                      |

``k`` is a constant with one number for all channels or one for each: along every other axis its size is 1.  (Where the
channels have several axes behind a Reshape, any of these may share a number.)  Everything is float64; who stores the
result rounds it, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, constant
from onnxpress.errors import InvalidModel
from onnxpress.naming import described

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class Obstacle(Exception):
    """Why a fold would not be exact: a half-sentence for the report."""


@dataclass(frozen=True)
class Channels:
    """Where the channels of a value are: on one axis, or on several, of which the last counts fastest.

    Attributes:
        axes: Counted from the end (negative), as broadcasting counts.
        rank: Number of axes of the value; None when unknown.
        sizes: Of each of `axes`.
    """

    axes: tuple[int, ...]
    rank: int | None
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of channels."""
        return prod(self.sizes)

    def on(self, axis: int) -> int | None:
        """Size of `axis` (negative); None where it holds no channels."""
        return dict(zip(self.axes, self.sizes, strict=True)).get(axis)

    def spread(self, numbers: NDArray[Any]) -> Vector:
        """One number for each channel, float64, of numbers that broadcast to the axes of the channels."""
        shape = [self.on(axis) or 1 for axis in range(min(*self.axes, -numbers.ndim), 0)]
        lanes = np.moveaxis(np.broadcast_to(numbers, shape), self.axes, range(len(self.axes)))
        return lanes.astype(np.float64).reshape(-1)


@dataclass(frozen=True, eq=False)
class Affine:
    """``y[c] = scale[c] * x[c] + shift[c]``, both of shape ``[C]``, float64."""

    scale: Vector
    shift: Vector

    @classmethod
    def identity(cls, size: int) -> Affine:
        """The map that changes nothing."""
        return cls(np.ones(size), np.zeros(size))

    def then(self, after: Affine) -> Affine:
        """This map followed by `after`."""
        return Affine(after.scale * self.scale, after.scale * self.shift + after.shift)

    def part(self, start: int, size: int) -> Affine:
        """The map of `size` channels from `start` on."""
        return Affine(self.scale[start : start + size], self.shift[start : start + size])

    @property
    def scales(self) -> bool:
        """Whether any channel is scaled."""
        return bool(np.any(self.scale != 1))

    @property
    def shifts(self) -> bool:
        """Whether any channel is shifted."""
        return bool(np.any(self.shift != 0))


_Map = Callable[[Any, bool], tuple[Any, Any]]
_ELEMENTWISE: dict[str, _Map] = {
    "Mul": lambda k, first: (k, 0.0),
    "Div": lambda k, first: (1.0 / k, 0.0),
    "Add": lambda k, first: (1.0, k),
    "Sub": lambda k, first: (-1.0, k) if first else (1.0, -k),
}


def operand(node: ir.Node) -> ir.Value | None:
    """The value of floats that `node` maps, None when `node` has not the form of an affine map.

    Whether the constant fits the channels is for `along` to say.
    """
    if node.domain != "" or not node.inputs:
        return None
    if node.op_type == "BatchNormalization":
        return node.inputs[0]
    if node.op_type not in _ELEMENTWISE:
        return None
    left, right = node.inputs
    first, second = constant(left), constant(right)
    if not all(numbers is None or numbers.dtype.is_floating_point() for numbers in (first, second)):
        return None
    if second is not None:
        return left if first is None else None
    return right if first is not None and node.op_type != "Div" else None


def along(node: ir.Node, channels: Channels) -> Affine:
    """The affine map that `node` applies to a value with these `channels`.

    Raises:
        Obstacle: It is none: a training BatchNormalization, or a constant that varies along other axes.
        InvalidModel: A BatchNormalization holds NaN or infinity, or the variance is negative.
    """
    if node.op_type == "BatchNormalization":
        return _batch_norm(node, channels)
    first = constant(node.inputs[0]) is not None
    value = node.inputs[0 if first else 1]
    assert value is not None
    with np.errstate(divide="ignore"):
        scale, shift = _ELEMENTWISE[node.op_type](_per_channel(value, channels), first)
    result = Affine(*(np.broadcast_to(np.asarray(k, np.float64), (channels.size,)) for k in (scale, shift)))
    if not (np.isfinite(result.scale).all() and np.isfinite(result.shift).all()):
        raise Obstacle(f"its constant {value.name!r} gives an infinite or undefined factor")
    return result


def is_per_channel(node: ir.Node) -> bool:
    """Whether `node` is sure to treat channels differently: not a mere factor or offset."""
    return node.op_type == "BatchNormalization" or any(k.size > 1 for k in map(constant, node.inputs) if k is not None)


def _per_channel(value: ir.Value, channels: Channels) -> Vector:
    numbers = array(value)
    assert numbers is not None
    shape = numbers.shape
    fits = all(size in (1, channels.on(place - len(shape))) for place, size in enumerate(shape))
    if not fits or len(shape) > (channels.rank or 1):
        raise Obstacle(
            f"its constant {value.name!r} of shape {list(shape)} is not one number for each of {channels.size} channels"
        )
    return channels.spread(numbers)


def _batch_norm(node: ir.Node, channels: Channels) -> Affine:
    if node.attributes.get_int("training_mode", 0) or any(output.name for output in node.outputs[1:]):
        raise Obstacle("it is in training mode")
    size = None if channels.rank is None else channels.on(1 - channels.rank)
    if channels.rank is None or size is None:
        raise Obstacle("it normalises axis 1, which is not where the channels are")
    parameters = [array(value) for value in node.inputs[1:5]]
    if any(numbers is None or numbers.shape != (size,) for numbers in parameters):
        raise Obstacle(f"its parameters are not {size} constant numbers each")
    gamma, beta, mean, variance = (np.asarray(numbers, np.float64) for numbers in parameters)
    for name, value, numbers in zip(("scale", "bias", "mean", "variance"), node.inputs[1:5], parameters, strict=True):
        assert value is not None and numbers is not None
        if not np.isfinite(numbers.astype(np.float64)).all():
            raise InvalidModel(f"{name} {value.name!r} of {described(node)} holds NaN or infinity")
    deviation = variance + node.attributes.get_float("epsilon", 1e-5)
    if np.any(deviation <= 0):
        raise InvalidModel(
            f"variance {node.inputs[4].name!r} of {described(node)} is negative "  # type: ignore[union-attr]
            f"in channel {int(np.argmax(deviation <= 0))}; its square root does not exist"
        )
    scale = gamma / np.sqrt(deviation)
    at_axis_1 = (size, *(1 for _ in range(channels.rank - 2)))
    return Affine(*(channels.spread(numbers.reshape(at_axis_1)) for numbers in (scale, beta - mean * scale)))

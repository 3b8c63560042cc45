"""Constants that are stored as integers, written where an operator wants them, in the arrangement it wants.

With fake quantisation the numbers themselves are written and FakeQuant behind them, which leaves them as they are and
says the grid; one grid per channel wants the channels last, so the numbers are written that way, and moved behind it
where the operator wants another axis last.  Exact arithmetic writes the integers, a byte each, and computes
``(q - zero_point) * scale`` when the graph runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement, Quantization, Weight, as_it_is
from onnxpress_backends.tensorflow.layout.layouts import logical, moves_nothing
from onnxpress_backends.tensorflow.layout.values import Value
from onnxpress_backends.tensorflow.quantization.fake_quantization import FakeRange, fake_quant

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Integers:
    """Writes a constant as its integers and the arithmetic on them.

    Attributes:
        quantization: The integers and their grid.
        dtype: Type of the result; it holds every integer exactly.
    """

    quantization: Quantization
    dtype: DType = DType.FLOAT

    def __call__(self, value: Value, arrangement: Arrangement) -> Tensor:
        """The constant `value` arranged."""
        grid, graph = self.quantization, value.graph
        channels = _channels(grid, arrangement.view)
        if channels is None:
            return _plain(value, arrangement)
        moved = tuple(arrangement.view[axis] for axis in arrangement.perm)
        direct = Arrangement(view=arrangement.view, perm=arrangement.perm, shape=moved)
        tensor = graph.weight(Weight(constant=grid.stored, arrangement=direct), grid.stored.name)
        tensor = Tensor(graph.add("Cast", tensor, DstT=self.dtype, name=f"{value.name}/Cast"))
        for op, operand, neutral in (("Sub", grid.zero_point, 0), ("Mul", grid.scale, 1)):
            if (operand != neutral).any():
                spread = _spread(operand.astype(self.dtype.numpy), channels, arrangement)
                tensor = Tensor(graph.add(op, tensor, graph.constant(spread), name=f"{value.name}/{op}"))
        return _arranged(value, tensor, moved, as_it_is(arrangement.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class FakeQuantised:
    """Writes a constant as numbers and FakeQuant behind them.

    Attributes:
        quantization: The integers and their grid.
        told: What FakeQuant is told.
        numbers: What is written; None: the numbers that the integers stand for.
    """

    quantization: Quantization
    told: FakeRange
    numbers: Value | None = None

    def __call__(self, value: Value, arrangement: Arrangement) -> Tensor:
        """The constant `value` arranged."""
        view, perm = arrangement.view, arrangement.perm
        channels = _channels(self.quantization, view)
        if channels is None:
            return self._written(value, arrangement)
        if not channels:
            return fake_quant(value.graph, self._written(value, arrangement), self.told, self.quantization, value.name)
        order = (*(axis for axis in perm if axis not in channels), *channels)
        sizes = tuple(view[axis] for axis in order)
        shape = _channels_last(sizes[: -len(channels)], prod(sizes[-len(channels) :]))
        tensor = self._written(value, Arrangement(view=view, perm=order, shape=shape))
        tensor = fake_quant(value.graph, tensor, self.told, self.quantization, value.name)
        back = tuple(order.index(axis) for axis in perm)
        if moves_nothing(back, sizes):
            return _arranged(value, tensor, shape, as_it_is(arrangement.shape))
        return _arranged(value, tensor, shape, Arrangement(view=sizes, perm=back, shape=arrangement.shape))

    def _written(self, value: Value, arrangement: Arrangement) -> Tensor:
        if self.numbers is None:
            return _plain(value, arrangement)
        return replace(self.numbers, graph=value.graph, forms={}, arranged={}).weight(arrangement)


def _plain(value: Value, arrangement: Arrangement) -> Tensor:
    assert value.constant is not None
    return value.graph.weight(Weight(constant=value.constant, arrangement=arrangement), value.name)


def _channels(quantization: Quantization, view: Sequence[int]) -> tuple[int, ...] | None:
    """The axes of `view` that the axis of the channels has become; None where it has run together with another."""
    if quantization.axis is None:
        return ()
    shape = quantization.stored.shape
    count, inner = shape[quantization.axis], prod(shape[quantization.axis + 1 :])
    found = [
        axis
        for axis, size in enumerate(view)
        if size > 1 and inner <= (stride := prod(view[axis + 1 :])) and stride < inner * count
    ]
    return tuple(found) if prod(view[axis] for axis in found) == count else None


def _spread(parameter: NDArray[Any], channels: Sequence[int], arrangement: Arrangement) -> NDArray[Any]:
    """Scales or zero points in a shape that is broadcast against the moved integers."""
    if not channels:
        return parameter
    sizes = [size if axis in channels else 1 for axis, size in enumerate(arrangement.view)]
    return parameter.reshape(sizes).transpose(arrangement.perm)


def _channels_last(rest: tuple[int, ...], channels: int) -> tuple[int, ...]:
    """A shape with as many numbers that FakeQuant per channel takes: of rank 1, 2 or 4."""
    if len(rest) in (0, 1, 3):
        return (*rest, channels)
    return (*rest, 1, channels) if len(rest) == 2 else (prod(rest), channels)


def _arranged(value: Value, tensor: Tensor, shape: tuple[int, ...], arrangement: Arrangement) -> Tensor:
    """`tensor` arranged by operators; none where nothing changes."""
    lying = Value(graph=value.graph, name=value.name, dtype=tensor.dtype, shape=shape)
    lying.forms[logical(len(shape))] = tensor
    return lying.weight(arrangement)

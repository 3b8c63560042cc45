"""Which axes of a layer's weight are summed over; the others, in order, are its output channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.ascend.layers import Layer


def grouped(layer: Layer, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight with an axis for groups in front where groups share an axis of it.

    A ConvTranspose has (inputs, outputs of a group, ...), from which this makes (groups, inputs of a group, outputs of
    a group, ...); weights of other operators stay.
    """
    if layer.cube.op_type != "ConvTranspose":
        return weight
    return weight.reshape(layer.cube.attributes.get_int("group", 1), -1, *weight.shape[1:])


def summed(layer: Layer) -> tuple[int, ...]:
    """The axes of a `grouped` weight that are summed over."""
    kind, space = layer.cube.op_type, range(spatial(layer))
    if kind == "Conv":
        return (1, *(2 + axis for axis in space))
    if kind == "ConvTranspose":
        return (1, *(3 + axis for axis in space))
    return (-1 if layer.cube.attributes.get_int("transB", 0) else -2,)


def spatial(layer: Layer) -> int:
    """How many axes of the output follow that of the channels: those of a convolution's window, else none."""
    if layer.weight is None or layer.weight.shape is None or not layer.cube.op_type.startswith("Conv"):
        return 0
    return len(layer.weight.shape) - 2


def along_output(layer: Layer, values: NDArray[Any]) -> NDArray[Any]:
    """A number for all channels or for each, shaped to go along the channels of the output."""
    return values if values.size == 1 else values.reshape(-1, *[1] * spatial(layer))


def times_channels(layer: Layer, weight: NDArray[Any], factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight times a factor for all output channels or for each."""
    parted, axes = grouped(layer, weight).astype(np.float32), summed(layer)
    if factors.size > 1:
        kept = np.delete(parted.shape, axes)
        factors = np.expand_dims(factors.reshape(kept), tuple(axis % parted.ndim for axis in axes))
    return np.asarray(parted * factors, dtype=np.float32).reshape(weight.shape)

"""The weights of one grouped convolution that does what several convolutions do to the parts of its input.

A weight of a convolution of g groups, [O, I/g, kernel...], is the weights of its groups one after the other; so is then
that of all groups of all of them, if each group has the same number of input and of output channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array
from onnxpress.naming import described
from onnxpress_plugins.folding.affine import Obstacle

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grouped:
    """Parameters of the one convolution: weight [O, I/g, kernel...], bias [O] or None, and g."""

    weight: NDArray[Any]
    bias: NDArray[Any] | None
    groups: int


def grouped(nodes: Sequence[ir.Node]) -> Grouped:
    """What the Conv `nodes` are together.

    Raises:
        Obstacle: A weight or bias is computed, or the convolutions differ in more than their weights.
    """
    first, weights = nodes[0], [_constant(node, 1) for node in nodes]
    for node, weight in zip(nodes, weights, strict=True):
        if _geometry(node, weight) != _geometry(first, weights[0]):
            raise Obstacle(
                f"{described(first)} and {described(node)} differ in kernel size, strides, pads or dilations"
            )
        if _per_group(node, weight) != _per_group(first, weights[0]):
            raise Obstacle(
                f"the parts are not equal: in each group {_channels(first, weights[0])}, {_channels(node, weight)}"
            )
    biases = [_constant(node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else None for node in nodes]
    filled = [np.zeros(len(w), w.dtype) if bias is None else bias for bias, w in zip(biases, weights, strict=True)]
    bias = np.concatenate(filled) if any(bias is not None for bias in biases) else None
    return Grouped(np.concatenate(weights), bias, sum(map(_groups, nodes)))


def _constant(node: ir.Node, index: int) -> NDArray[Any]:
    value = node.inputs[index]
    numbers = array(value)
    if numbers is None:
        name = "" if value is None else value.name
        raise Obstacle(f"the {('', 'weight', 'bias')[index]} {name!r} of {described(node)} is no constant")
    return numbers


def _groups(node: ir.Node) -> int:
    return node.attributes.get_int("group", 1)


def _geometry(node: ir.Node, weight: NDArray[Any]) -> tuple[object, ...]:
    spatial, attributes = weight.ndim - 2, node.attributes
    return (
        weight.shape[2:],
        weight.dtype,
        attributes.get_string("auto_pad", "NOTSET"),
        tuple(attributes.get_ints("strides", (1,) * spatial)),
        tuple(attributes.get_ints("pads", (0,) * 2 * spatial)),
        tuple(attributes.get_ints("dilations", (1,) * spatial)),
    )


def _per_group(node: ir.Node, weight: NDArray[Any]) -> tuple[int, int]:
    return weight.shape[1], len(weight) // _groups(node)


def _channels(node: ir.Node, weight: NDArray[Any]) -> str:
    return f"{described(node)} makes {len(weight) // _groups(node)} channels of {weight.shape[1]}"

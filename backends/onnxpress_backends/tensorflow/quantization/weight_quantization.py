"""Constants in 8 bits, as TensorFlow's ``graph_transforms`` tool wrote them (``quantize_weights.cc``).

Every float32 Const of at least 1,024 elements becomes integers, the ends of their range, and a Dequantize of mode
MIN_FIRST under the name of the Const, so that nothing else changes:

    q = clamp(round(x * s) - round(min * s), 0, 255)       s = 255 / (max - min)
    x' = q / s + round(min * s) / s

in float64 and with ties away from zero, the range widened until it holds zero.  A file has a quarter of its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor
from onnxpress_backends.tensorflow.layout.constants import Weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 1024
"""Elements of the smallest constant that is quantised, the tool's own default."""

_BLOCK = 2**20
"""Elements that are in float64 at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightInBytes(Weight):
    """A weight as integers; read, like any other, when the graph is written.

    Attributes:
        low: The lower end of the range.
        high: The upper end.
    """

    low: float
    high: float

    @property
    def dtype(self) -> DType:
        """Type of its elements."""
        return DType.QUINT8

    def array(self) -> NDArray[Any]:
        """The integers, arranged."""
        return quantized(super().array(), self.low, self.high)


def quantize_weights(graph: Graph) -> None:
    """Store the large constants of `graph` and of its functions in 8 bits; those that are not finite stay."""
    for part in (graph, *graph.functions):
        nodes: list[Node] = []
        for node in part.nodes:
            if node.op == "Const" and node.attrs["dtype"] == DType.FLOAT and _elements(node) >= SMALLEST:
                nodes += _in_bytes(part, node)
            nodes.append(node)
        part.nodes = nodes


def _elements(node: Node) -> int:
    shape = node.attrs["value"].shape if node.weight is None else node.weight.arrangement.shape
    return prod(shape)


def _in_bytes(graph: Graph, node: Node) -> list[Node]:
    """Make a Const a Dequantize of the nodes that are returned."""
    numbers = node.attrs["value"] if node.weight is None else node.weight.array()
    low, high = ends(numbers)
    if not np.isfinite(high - low):
        return []
    made = [Node("Const", graph.unique(f"{node.name}_quantized_const"), (), {"dtype": DType.QUINT8}, (DType.QUINT8,))]
    if node.weight is None:
        made[0].attrs["value"] = quantized(numbers, low, high)
    else:
        weight = node.weight
        made[0].weight = WeightInBytes(constant=weight.constant, arrangement=weight.arrangement, low=low, high=high)
    for what, end in (("min", low), ("max", high)):
        scalar = {"dtype": DType.FLOAT, "value": np.array(end, np.float32)}
        made.append(Node("Const", graph.unique(f"{node.name}_quantized_{what}"), (), scalar, (DType.FLOAT,)))
    node.op, node.weight, node.inputs = "Dequantize", None, tuple(Tensor(each) for each in made)
    node.attrs = {"T": DType.QUINT8, "mode": "MIN_FIRST", "narrow_range": False, "axis": -1, "dtype": DType.FLOAT}
    return made


def ends(numbers: NDArray[np.float32]) -> tuple[float, float]:
    """The range to quantise to: that of `numbers` and zero, and never a single number.

    Returns:
        Two float32 numbers, the lower first.
    """
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    return low, high if low < high else low + 1


def quantized(numbers: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """The bytes for `numbers` in a range.

    Args:
        numbers: Finite, any shape.
        low: Lower end, at most zero.
        high: Upper end, at least zero, above `low`.
    """
    scale = 255 / (high - low)
    start = _rounded(np.float64(low * scale))
    flat, steps = numbers.reshape(-1), np.empty(numbers.size, np.uint8)
    for block in range(0, flat.size, _BLOCK):
        part = slice(block, block + _BLOCK)
        steps[part] = (_rounded(flat[part] * np.float64(scale)) - start).clip(0, 255)
    return steps.reshape(numbers.shape)


def _rounded(numbers: Any) -> Any:
    """To the nearest whole number, ties away from zero, as C rounds."""
    return np.copysign(np.floor(np.abs(numbers) + 0.5), numbers)

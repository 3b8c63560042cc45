"""The ranges of fake quantisation as parameters: FakeQuant is told two variables, its least and greatest value.

A grid whose zero point is in the middle of the integers stays symmetric, and one without a zero point keeps it at zero:
there the greatest value is a variable, and the least one a multiple of it.  Pairs that read the same scale and zero
point in the ONNX model read the same variables, or there would be no way back for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.saved_model.parameters import Parameter, Place
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node
from onnxpress_backends.tensorflow.layout.constants import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINIMUM, _MAXIMUM = 1, 2
"""The inputs of a FakeQuant that say the range."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Range:
    """The range of one grid.

    Attributes:
        grid: The grid, as the ONNX model has it.
        maximum: The greatest value.
        minimum: The least one; None where it is `factor` times the greatest.
        factor: See there.
        narrow: Whether the lowest integer is not used.
    """

    grid: Grid
    maximum: Parameter
    minimum: Parameter | None
    factor: float
    narrow: bool

    def place(self, end: int) -> Place:
        """What stands for an input of the FakeQuant."""
        if end == _MAXIMUM:
            return Place(parameter=self.maximum)
        if self.minimum is None:
            return Place(parameter=self.maximum, factor=self.factor)
        return Place(parameter=self.minimum)


@dataclass(eq=False, kw_only=True)
class Ranges:
    """The ranges of one model.

    Attributes:
        found: They, in the order they were met.
    """

    found: dict[tuple[Any, ...], Range] = field(default_factory=dict)

    def places(self, graph: Graph) -> dict[Node, Place]:
        """The constants of `graph` that variables stand in for."""
        places: dict[Node, Place] = {}
        for node in graph.nodes:
            if node.grid is not None:
                place = self._range(node, node.grid)
                places |= {node.inputs[end].node: place.place(end) for end in (_MINIMUM, _MAXIMUM)}
        return places

    def _range(self, node: Node, grid: Grid) -> Range:
        narrow = bool(node.attrs["narrow_range"])
        key = grid.scale_name, grid.zero_point_name, grid.zero_point.dtype, narrow
        if key not in self.found:
            minimum, maximum = (_parameter(node.inputs[end].node) for end in (_MINIMUM, _MAXIMUM))
            factor = _factor(grid, narrow)
            self.found[key] = Range(
                grid=grid,
                maximum=maximum,
                minimum=minimum if factor is None else None,
                factor=0.0 if factor is None else factor,
                narrow=narrow,
            )
        return self.found[key]


def _factor(grid: Grid, narrow: bool) -> float | None:
    """The least value by the greatest, where the zero point is to stay; None where it may move."""
    limits = np.iinfo(grid.zero_point.dtype)
    middle = (limits.min + limits.max + 1) // 2
    if grid.zero_point_name is not None and (grid.zero_point != middle).any():
        return None
    origin = int(grid.zero_point.reshape(-1)[0])
    return (limits.min + narrow - origin) / (limits.max - origin)


def _parameter(node: Node) -> Parameter:
    first: NDArray[Any] = node.attrs["value"]
    return Parameter(name=node.name, trainable=True, array=lambda: first)

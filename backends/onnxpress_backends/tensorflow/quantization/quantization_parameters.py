"""Scale and zero point of a QuantizeLinear or DequantizeLinear: one, one for each channel, or one for each block.

What is known when the graph is written, of float32 and not in blocks, is a grid; everything else is computed with when
the graph runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Grid
from onnxpress_backends.tensorflow.layout.layouts import Layout
from onnxpress_backends.tensorflow.layout.values import Laid

if TYPE_CHECKING:
    from numpy.typing import NDArray

X, SCALE, ZERO_POINT = 0, 1, 2
"""The inputs of both operators."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """Those of one node.

    Attributes:
        call: The node.
    """

    call: Call

    @property
    def block(self) -> int:
        """Elements that share a scale; 0 when it is not by blocks."""
        return int(self.call.attribute("block_size", 0))

    @property
    def axis(self) -> int | None:
        """The axis of the channels or blocks; None when there is one scale."""
        if not self.block and self.call.shape(SCALE) in ((), (1,)):
            return None
        return int(self.call.attribute("axis", 1)) % self.call.rank(X)

    @property
    def has_offset(self) -> bool:
        """Whether there is a zero point, and it is not known to be 0."""
        known = self.call.constant(ZERO_POINT)
        return self.call.has(ZERO_POINT) and (known is None or bool(known.any()))

    @property
    def laid(self) -> Laid:
        """What is quantised, in a layout in which its axes can be told apart where they must be."""
        value = self.call.value(X)
        return value.laid if self.axis is None else value.permuted

    def known(self, dtype: DType) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Scale and zero point, of integers of `dtype`; None where one of them is computed."""
        scale, zero_point = self.call.constant(SCALE), self.call.constant(ZERO_POINT)
        if scale is not None and not self.call.has(ZERO_POINT):
            zero_point = np.zeros(scale.shape, dtype.numpy)
        return None if scale is None or zero_point is None else (scale, zero_point)

    def grid(self, dtype: DType) -> Grid | None:
        """The grid of integers of `dtype`; None where it is computed, in blocks, or not in float32."""
        known = self.known(dtype)
        if known is None or known[0].dtype != np.float32 or self.block:
            return None
        scale, zero_point = known if self.axis is not None else (each.reshape(()) for each in known)
        return Grid(
            scale=scale,
            zero_point=zero_point,
            axis=self.axis,
            scale_name=self._name(SCALE),
            zero_point_name=self._name(ZERO_POINT),
        )

    def _name(self, index: int) -> str | None:
        constant = self.call.value(index).constant if self.call.has(index) else None
        return None if constant is None else constant.name

    def aligned(self, index: int, layout: Layout | None, dtype: DType) -> Tensor:
        """Scale or zero point as `dtype`, to be broadcast against what is quantised in `layout`."""
        call, value = self.call, self.call.value(index)
        if self.axis is None:
            tensor = call.emit("Reshape", value.tensor(), call.const([], DType.INT32)) if value.rank else value.tensor()
            return call.cast(tensor, dtype)
        assert layout is not None
        place = layout.axis(self.axis)
        if self.block:
            tensor = call.cast(value.tensor(layout), dtype)
            return call.emit("GatherV2", tensor, call.const(self.blocks, DType.INT32), call.const(place, DType.INT32))
        tensor = call.cast(value.tensor(), dtype)
        behind = [1] * (layout.rank - place - 1)
        return call.emit("Reshape", tensor, call.const([-1, *behind], DType.INT32)) if behind else tensor

    @property
    def blocks(self) -> NDArray[Any]:
        """For each index of `axis`: which block it is in."""
        size = self.call.shape(X)[self.axis or 0]
        if size is None:
            self.call.refuse(f"the size of axis {self.axis}, which is quantised in blocks, must be known")
        return np.arange(size) // self.block

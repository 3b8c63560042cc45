"""Where a kernel looks: every axis of a convolution on its own.

Tap t of output q sees input ``q * stride + t * dilation - begin``; what lies outside is padding, zero.  All that is
summed over the outputs of a convolution falls apart into one matrix per axis, taps x inputs, and padding need not be
stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from onnxpress.decomposition.layer_stacks import Layer


@dataclass(frozen=True, kw_only=True)
class Window:
    """One axis of a kernel.

    Attributes:
        kernel: Taps.
        stride: Inputs from one output to the next.
        dilation: Inputs from one tap to the next.
        pads: Zeros before the first input and behind the last one.
        auto_pad: ONNX's rule that takes the place of `pads`; NOTSET if none does.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pads: tuple[int, int] = (0, 0)
    auto_pad: str = "NOTSET"

    def padding(self, size: int) -> tuple[int, int]:
        """Zeros before and behind `size` inputs."""
        if not self.auto_pad.startswith("SAME"):
            return self.pads if self.auto_pad == "NOTSET" else (0, 0)
        total = max((ceil(size / self.stride) - 1) * self.stride + self._reach + 1 - size, 0)
        less, more = total // 2, total - total // 2
        return (less, more) if self.auto_pad == "SAME_UPPER" else (more, less)

    def outputs(self, size: int) -> int:
        """How many outputs `size` inputs have."""
        return max((size + sum(self.padding(size)) - self._reach - 1) // self.stride + 1, 0)

    def sights(self, size: int) -> NDArray[np.float64]:
        """How many outputs see each input through each tap, ``(kernel, size)``: 0 or 1."""
        places = np.arange(size) + self.padding(size)[0] - self.dilation * np.arange(self.kernel)[:, None]
        seen = (places >= 0) & (places % self.stride == 0) & (places < self.stride * self.outputs(size))
        return np.asarray(seen, np.float64)

    def places(self, size: int) -> NDArray[np.int64]:
        """Which input each output sees through each tap, ``(kernel, outputs)``; padding is below 0 or beyond `size`."""
        outputs, taps = np.arange(self.outputs(size)), np.arange(self.kernel)
        return np.asarray(outputs * self.stride + self.dilation * taps[:, None] - self.padding(size)[0])

    @property
    def _reach(self) -> int:
        return (self.kernel - 1) * self.dilation


def windows_of(layer: Layer) -> tuple[Window, ...]:
    """The axes of the kernel of a layer that stands in a graph; none for a matrix."""
    count, pads = len(layer.kernel), layer.pads
    assert pads is not None
    return tuple(
        Window(
            kernel=layer.kernel[axis],
            stride=layer.strides[axis],
            dilation=layer.dilations[axis],
            pads=(pads[axis], pads[axis + count]),
            auto_pad=layer.auto_pad,
        )
        for axis in range(count)
    )

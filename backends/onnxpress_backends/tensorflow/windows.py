"""Where a sliding window (of a convolution or a pooling) starts and ends: ONNX's pads in TensorFlow's words.

TensorFlow knows VALID (no padding) and SAME (as much as makes the output ``ceil(size / stride)``, the odd one at the
end).  ONNX's pads are SAME when the sizes are known and give just these pads, or when the stride is 1, where the sizes
do not matter; otherwise the input is padded by an operator of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.graph import Tensor
from onnxpress_backends.tensorflow.layouts import Shape


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over the spatial axes.

    Attributes:
        kernel: Its sizes.
        strides: Its steps.
        dilations: Distances of its taps.
        pads: Elements before and after each axis; None: SAME_UPPER or VALID as `padding` says.
        padding: TensorFlow's word for it, or EXPLICIT.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    padding: Literal["VALID", "SAME", "EXPLICIT"]

    @property
    def extents(self) -> tuple[int, ...]:
        """Elements that the window covers along each axis, from the first tap to the last."""
        return tuple((size - 1) * step + 1 for size, step in zip(self.kernel, self.dilations, strict=True))


def window(call: Call, kernel: Sequence[int], sizes: Shape) -> Window:
    """The window of a node, from its attributes.

    Args:
        call: A Conv or a pooling.
        kernel: Sizes of the window.
        sizes: Spatial sizes of the input.
    """
    count = len(kernel)
    strides = tuple(call.attribute("strides") or (1,) * count)
    dilations = tuple(call.attribute("dilations") or (1,) * count)
    extents = tuple((size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True))
    auto = call.attribute("auto_pad", "NOTSET")
    pads: tuple[tuple[int, int], ...]
    if auto == "VALID":
        pads = ((0, 0),) * count
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        same = _same(sizes, extents, strides)
        if same is None:
            if auto == "SAME_LOWER":
                call.refuse("auto_pad SAME_LOWER needs sizes that are known")
            return _window(kernel, strides, dilations, ((0, 0),) * count, "SAME")
        pads = same if auto == "SAME_UPPER" else tuple((after, before) for before, after in same)
    else:
        flat = call.attribute("pads") or (0,) * (2 * count)
        pads = tuple((flat[axis], flat[axis + count]) for axis in range(count))
    if not any(before or after for before, after in pads):
        return _window(kernel, strides, dilations, pads, "VALID")
    return _window(kernel, strides, dilations, pads, "SAME" if pads == _same(sizes, extents, strides) else "EXPLICIT")


def _window(
    kernel: Sequence[int],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    padding: Literal["VALID", "SAME", "EXPLICIT"],
) -> Window:
    return Window(kernel=tuple(kernel), strides=strides, dilations=dilations, pads=pads, padding=padding)


def _same(sizes: Shape, extents: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, int], ...] | None:
    """The pads of TensorFlow's SAME; None where they depend on a size that is not known."""
    pads = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        if stride == 1:
            total = extent - 1
        elif size is None:
            return None
        else:
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def padded(call: Call, tensor: Tensor, pads: Sequence[tuple[int, int]], fill: float | None = None) -> Tensor:
    """A channels-last tensor with its spatial axes padded, with zeros or with `fill`."""
    amounts = call.const([(0, 0), *pads, (0, 0)], DType.INT32)
    if fill is None:
        return call.emit("Pad", tensor, amounts)
    return call.emit("PadV2", tensor, amounts, call.const(fill, tensor.dtype))

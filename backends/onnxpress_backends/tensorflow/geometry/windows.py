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
from onnxpress_backends.tensorflow.geometry.borders import bordered
from onnxpress_backends.tensorflow.geometry.terms import Term, count, sizes, term
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

Pads = tuple[tuple[Term, Term], ...]
Padding = Literal["VALID", "SAME", "EXPLICIT"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over the spatial axes.

    Attributes:
        sizes: Spatial sizes of the input.
        kernel: Sizes of the window.
        strides: Its steps.
        dilations: Distances of its taps.
        pads: Elements before and after each axis.
        excess: Those after each axis that are only there because ``ceil_mode`` lets the last window reach too far.
        padding: TensorFlow's word for the pads; EXPLICIT where it has none.
    """

    sizes: tuple[Term, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads
    excess: tuple[Term, ...]
    padding: Padding

    @property
    def extents(self) -> tuple[int, ...]:
        """Elements that the window covers along each axis, from the first tap to the last."""
        return extents(self.kernel, self.dilations)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.kernel)

    def outputs(self, axis: int) -> Term:
        """How many places it has along a spatial axis."""
        before, after = self.pads[axis]
        return (self.sizes[axis] + before + after - self.extents[axis]) // self.strides[axis] + 1

    def positions(self, axis: int) -> Term:
        """Where its taps are, ``[places, taps]``; those below 0 or beyond the size are in the padding."""
        call = self.sizes[axis].call
        starts = count(call, self.outputs(axis)) * self.strides[axis] - self.pads[axis][0]
        taps = count(call, term(call, self.kernel[axis])) * self.dilations[axis]
        return starts.at(1) + taps.at(0)


def extents(kernel: Sequence[int], dilations: Sequence[int]) -> tuple[int, ...]:
    """Elements that windows cover from the first tap to the last."""
    return tuple((size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True))


def window(call: Call, kernel: Sequence[int]) -> Window:
    """The window of a Conv or of a pooling, from its attributes.

    Args:
        call: The node; its first input is what the window slides over.
        kernel: Sizes of the window.
    """
    spatial = tuple(sizes(call, 0)[2:])
    strides = tuple(call.attribute("strides") or (1,) * len(kernel))
    dilations = tuple(call.attribute("dilations") or (1,) * len(kernel))
    reach = extents(kernel, dilations)
    auto = call.attribute("auto_pad", "NOTSET")
    same = tuple(same_pads(*each) for each in zip(spatial, reach, strides, strict=True))
    if auto == "VALID":
        pads = explicit_pads(call, (0,) * (2 * len(kernel)))
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = same if auto == "SAME_UPPER" else tuple((after, before) for before, after in same)
    else:
        pads = explicit_pads(call, call.attribute("pads") or (0,) * (2 * len(kernel)))
    excess = tuple(term(call, 0) for _ in kernel)
    if call.attribute("ceil_mode", 0) and auto in ("", "NOTSET"):
        excess = tuple(_excess(*each) for each in zip(spatial, pads, reach, strides, strict=True))
        pads = tuple((before, after + more) for (before, after), more in zip(pads, excess, strict=True))
    return Window(
        sizes=spatial,
        kernel=tuple(kernel),
        strides=strides,
        dilations=dilations,
        pads=pads,
        excess=excess,
        padding="SAME" if auto == "SAME_UPPER" else _word(pads, same),
    )


def explicit_pads(call: Call, flat: Sequence[int]) -> Pads:
    """ONNX's list of the pads, those before all axes first, by axis."""
    half = len(flat) // 2
    return tuple(
        (term(call, before), term(call, after)) for before, after in zip(flat[:half], flat[half:], strict=True)
    )


def same_pads(size: Term, extent: int, stride: int) -> tuple[Term, Term]:
    """The pads of TensorFlow's SAME for an axis; with stride 1 they do not depend on its size."""
    if stride == 1:
        total = term(size.call, extent - 1)
    else:
        total = ((size + (stride - 1)) // stride * stride + (extent - stride) - size).least(0)
    return total // 2, total - total // 2


def _excess(size: Term, pads: tuple[Term, Term], extent: int, stride: int) -> Term:
    """What the last window needs after the padding; a window that would start in the padding at the end is none."""
    before, after = pads
    steps = -((extent - (size + before + after)) // stride)
    steps = steps - (size + before - 1 < steps * stride).to(DType.INT32)
    return (steps * stride + extent - (size + before + after)).least(0)


def _word(pads: Pads, same: Pads) -> Padding:
    numbers = [[each.known for pair in some for each in pair] for some in (pads, same)]
    if any(number is None for number in numbers[0]):
        return "EXPLICIT"
    if not any(numbers[0]):
        return "VALID"
    return "SAME" if all(a is not None and a == b for a, b in zip(*numbers, strict=True)) else "EXPLICIT"


def padded(call: Call, tensor: Tensor, slide: Window, fill: float | None = None) -> Tensor:
    """A channels-last tensor with its spatial axes padded for a window that slides without padding.

    Args:
        call: The node.
        tensor: What the window slides over.
        slide: The window.
        fill: What the padding holds; None: zero.
    """
    none = (term(call, 0), term(call, 0))
    held = None if fill is None else call.const(fill, tensor.dtype)
    return bordered(call, tensor, (none, *slide.pads, none), held)

"""Scale and zero point of QuantizeLinear and DequantizeLinear, as Ascend says them: one step, one offset of an int8.

    uint8: q - 128, zero point - 128                 float32 scale of a tensor, a constant

What Ascend cannot say is refused with the node and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import SMALLEST_SCALE
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_backends.ascend.moving import constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"

_DOMAINS = ("", "com.microsoft")
"""onnxruntime has both operators in a domain of its own, too."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How a tensor is quantised: ``x = (q - offset) * scale``.

    Attributes:
        scale: The step, at least `SMALLEST_SCALE`: a finer one is raised to it, and represents zero as before.
        offset: In [-128, 127].
    """

    scale: np.float32
    offset: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Scale and zero point of a node as they stand there.

    Attributes:
        scale: float32, any shape.
        zero_point: Integers of the same shape, of the type of the quantised numbers.
        axis: The axis they go along; None for one of each.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[Any]
    axis: int | None

    @property
    def parameters(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Both, of shape ``()`` where there is one of each."""
        if self.axis is None:
            return self.scale.reshape(()), self.zero_point.reshape(())
        return self.scale, self.zero_point


def quantizes(node: ir.Node | None) -> bool:
    """Whether `node` is a QuantizeLinear."""
    return node is not None and node.op_type == QUANTIZE and node.domain in _DOMAINS


def dequantizes(node: ir.Node | None) -> bool:
    """Whether `node` is a DequantizeLinear."""
    return node is not None and node.op_type == DEQUANTIZE and node.domain in _DOMAINS


def grid(node: ir.Node) -> Grid:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear.

    Raises:
        InvalidModel: The scale is not positive and finite.
        UnsupportedModel: They are computed, go by blocks, are not float32, or the integers are not of 8 bits.
    """
    scale, zero_point = constant(node.inputs[1]), constant(node.inputs[2] if len(node.inputs) > 2 else None)
    if scale is not None and (len(node.inputs) < 3 or node.inputs[2] is None):
        zero_point = np.zeros(scale.shape, _type_without_zero_point(node))
    if scale is None or zero_point is None:
        raise UnsupportedModel(
            f"{title(node)} computes its scale or zero point as it runs, but Ascend's are "
            "constants; fold what is constant first (recipe convert does)"
        )
    if node.attributes.get_int("block_size", 0):
        raise UnsupportedModel(f"{title(node)} has a scale for every block; Ascend has one for a tensor or channel")
    if scale.dtype != np.float32:
        raise UnsupportedModel(f"{title(node)} is of {scale.dtype}; give Ascend a model of float32")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise InvalidModel(f"{title(node)} has a scale that is not positive and finite")
    axis = None if scale.size == 1 else node.attributes.get_int("axis", 1)
    return Grid(scale=scale, zero_point=zero_point, axis=axis)


def step(node: ir.Node) -> Step:
    """How the QuantizeLinear or DequantizeLinear of an activation quantises it.

    Raises:
        InvalidModel: As `grid`.
        UnsupportedModel: As `grid`; or it is not of 8 bits, or has a scale for each channel.
    """
    found = grid(node)
    if found.scale.size != 1:
        raise UnsupportedModel(
            f"{title(node)} has a scale for each channel of an activation, but Ascend has one for the tensor; "
            "quantise activations per tensor"
        )
    middle = middle_of(found.zero_point.dtype, node)
    scale = np.maximum(found.scale.reshape(()), SMALLEST_SCALE)
    return Step(scale=np.float32(scale), offset=int(found.zero_point.reshape(())) - middle)


def is_tiny(node: ir.Node) -> bool:
    """Whether the scale of `node`, for which `step` gives a step, is below the least that Ascend knows."""
    return bool((grid(node).scale < SMALLEST_SCALE).any())


def refuse_odd_pair(quantize: ir.Node, dequantize: ir.Node) -> None:
    """Do nothing where both nodes have one grid.

    Raises:
        InvalidModel: As `grid`.
        UnsupportedModel: As `grid`; or they have two.
    """
    one, other = grid(quantize), grid(dequantize)
    same = one.zero_point.dtype == other.zero_point.dtype and one.axis == other.axis
    if not (
        same
        and np.array_equal(one.scale.reshape(-1), other.scale.reshape(-1))
        and np.array_equal(one.zero_point.reshape(-1), other.zero_point.reshape(-1))
    ):
        raise UnsupportedModel(
            f"{title(quantize)} and {title(dequantize)} differ in scale, zero point or type, but Ascend knows "
            "them as a pair; give both the same"
        )


def middle_of(dtype: np.dtype[Any], node: ir.Node) -> int:
    """What separates integers of `dtype` from int8.

    Raises:
        UnsupportedModel: They are not of 8 bits.
    """
    if dtype not in (np.int8, np.uint8):
        raise UnsupportedModel(f"{title(node)} is of {dtype}, but Ascend's quantised models hold 8 bits; use int8")
    return 0 if dtype == np.int8 else 128


def title(node: ir.Node) -> str:
    """A node as an error names it, e.g. ``Conv 'stem'``."""
    return f"{node.op_type} {name_of(node)!r}"


def name_of(node: ir.Node) -> str:
    """The node's name; that of its output if it has none."""
    return node.name or node.outputs[0].name or ""


def _type_without_zero_point(node: ir.Node) -> Any:
    """The type of the integers where no zero point says it."""
    wanted = node.attributes.get_int("output_dtype", 0)
    if wanted:
        return ir.DataType(wanted).numpy()
    integers = node.outputs[0] if node.op_type == QUANTIZE else node.inputs[0]
    known = integers.dtype if integers is not None else None
    return (known or ir.DataType.UINT8).numpy()

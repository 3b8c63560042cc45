"""What one layer becomes: a stack of two or three smaller ones, as data.

    form       axes of the kernel: first | core | last    channels between
    spatial    some               |      | the others     r
    channel    all                |      | none           r
    low_rank   no kernel, or all of size 1                r
    tucker2    none               | all  | none           r_in, r_out

Strides, padding and dilation of an axis go to the part that has the axis; an axis that a part lacks has size 1 there, is
not padded, and is walked in steps of 1.  Only the first part of a 1 x 1 kernel has its axes, so that a stride is taken
before anything is multiplied twice.  The bias goes to the last part: zeros stay zeros in between, and padding stays exact.

All shapes here are ``(outputs, inputs, *kernel)``, however an operator lays its weight out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

from onnxpress.errors import InvalidData

Form = Literal["spatial", "channel", "low_rank", "tucker2"]
"""Names of the ways to split a layer."""

Operator = Literal["Conv", "Gemm", "MatMul"]
"""Operators that can be split; a matrix product is a convolution without a kernel."""

FORMS: tuple[Form, ...] = get_args(Form)
OPERATORS: tuple[Operator, ...] = get_args(Operator)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer before it is split.

    Attributes:
        name: Of the node; of its output, if the node has none.
        operator: Its operator.
        weight: Name of its weight.
        weight_shape: ``(outputs, inputs, *kernel)``.
        strides: For each axis of the kernel.
        pads: The begins of all axes of the kernel, then the ends, as in ONNX; 0 where `auto_pad` decides.
        dilations: For each axis of the kernel.
        auto_pad: As in ONNX.
    """

    name: str
    operator: Operator
    weight: str
    weight_shape: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    auto_pad: str = "NOTSET"

    @property
    def kernel(self) -> tuple[int, ...]:
        """Sizes of the kernel; empty for a matrix."""
        return self.weight_shape[2:]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of a stack.

    Attributes:
        name: Of its node, and of what it gives unless it is the last.
        axes: The axes of the kernel that it has, counted from 0.
        weight_shape: ``(outputs, inputs, *kernel)``, with 1 for an axis that it does not have.
        strides: For each axis of the kernel.
        pads: The begins of all axes of the kernel, then the ends.
        dilations: For each axis of the kernel.
    """

    name: str
    axes: tuple[int, ...]
    weight_shape: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def weight(self) -> str:
        """Name of its weight."""
        return f"{self.name}/weight"

    @property
    def bias(self) -> str:
        """Name of a bias of its own."""
        return f"{self.name}/bias"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """How a layer is split.

    Attributes:
        layer: What it was.
        form: How.
        ranks: Channels between the parts, in their order: one, or two for Tucker-2.
        first_axes: The axes of the kernel that the first part has; none for Tucker-2, and for a matrix.

    Raises:
        InvalidData: The form, the axes and the ranks do not fit each other or the layer.
    """

    layer: Layer
    form: Form
    ranks: tuple[int, ...]
    first_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        every, name = tuple(range(len(self.layer.kernel))), self.layer.name
        fitting = {
            "spatial": 0 < len(self.first_axes) < len(every) and set(self.first_axes) < set(every),
            "channel": self.first_axes == every != (),
            "low_rank": self.first_axes == every and prod(self.layer.kernel) == 1,
            "tucker2": self.first_axes == () and every != (),
        }
        if not fitting[self.form] or list(self.first_axes) != sorted(set(self.first_axes)):
            sizes = list(self.layer.weight_shape)
            raise InvalidData(f"{self.form} of {name!r}, {sizes}, cannot have the axes {list(self.first_axes)} first")
        wanted = len(self.roles) - 1
        if len(self.ranks) != wanted or min(self.ranks) < 1:
            raise InvalidData(f"{self.form} of {name!r} has {wanted} positive ranks, not {list(self.ranks)}")

    @property
    def roles(self) -> tuple[str, ...]:
        """What the parts are called, in their order."""
        return ("first", "core", "last") if self.form == "tucker2" else ("first", "last")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The layers that take the place of the one."""
        outputs, inputs = self.layer.weight_shape[:2]
        channels = (inputs, *self.ranks, outputs)
        every = range(len(self.layer.kernel))
        rest = tuple(axis for axis in every if axis not in self.first_axes)
        axes = ((), tuple(every), ()) if self.form == "tucker2" else (self.first_axes, rest)
        return tuple(
            self._part(role, own, channels[at : at + 2])
            for at, (role, own) in enumerate(zip(self.roles, axes, strict=True))
        )

    def _part(self, role: str, axes: tuple[int, ...], channels: Sequence[int]) -> Part:
        layer, size = self.layer, len(self.layer.kernel)
        return Part(
            name=f"{layer.name}/decom_{role}",
            axes=axes,
            weight_shape=(channels[1], channels[0], *_kept(layer.kernel, axes, 1)),
            strides=_kept(layer.strides, axes, 1),
            pads=_kept(layer.pads, (*axes, *(axis + size for axis in axes)), 0),
            dilations=_kept(layer.dilations, axes, 1),
        )


def _kept(values: Sequence[int], axes: Iterable[int], otherwise: int) -> tuple[int, ...]:
    kept = set(axes)
    return tuple(value if axis in kept else otherwise for axis, value in enumerate(values))

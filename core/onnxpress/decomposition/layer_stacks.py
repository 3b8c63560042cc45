"""What became of a layer: the stack of smaller ones in its place, as data.

    form       axes of the kernel, by part                    channels between
    spatial    some, the others                               r
    channel    all, none                                      r
    low_rank   all, none: a matrix, or a kernel of size 1     r
    tucker2    none, all, none                                r_in, r_out

Strides, padding and dilation of an axis go to the part that has the axis; where a part lacks an axis, its size is 1, it
is not padded, and every step is taken.  The bias goes to the last part: zeros stay zeros on the way there, so padding
stays exact.

All shapes are ``(outputs, inputs, *kernel)``, however an operator arranges its weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal, get_args

from onnxpress.errors import InvalidData

Form = Literal["spatial", "channel", "low_rank", "tucker2"]
Operator = Literal["Conv", "Gemm", "MatMul"]

FORMS: tuple[Form, ...] = get_args(Form)
OPERATORS: tuple[Operator, ...] = get_args(Operator)
"""What can be split; a matrix product is a convolution without a kernel."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer before it is split.

    Attributes:
        name: Of the node; of its output, if the node has none.
        operator: Its operator.
        weight: Name of its weight; empty where only the layer's name is known.
        weight_shape: ``(outputs, inputs, *kernel)``.
        strides: For each axis of the kernel.
        pads: The begins of all axes of the kernel, then the ends, as in ONNX; None where they are not known.
        dilations: For each axis of the kernel.
        auto_pad: As in ONNX; anything but ``NOTSET`` takes the place of `pads`.
        bias: Name of what it adds; empty where it adds nothing, or that is not known.
        inputs_first: Whether a matrix is stored as ``(inputs, outputs)``, and those of the stack likewise.

    Raises:
        InvalidData: The shape is none of a layer, or strides, pads or dilations are not those of its kernel.
    """

    name: str
    operator: Operator
    weight: str = ""
    weight_shape: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] | None = ()
    dilations: tuple[int, ...] = ()
    auto_pad: str = "NOTSET"
    bias: str = ""
    inputs_first: bool = False

    def __post_init__(self) -> None:
        shape, size = list(self.weight_shape), len(self.kernel)
        if len(shape) < 2 or min(shape) < 1 or (self.operator != "Conv" and size):
            raise InvalidData(f"layer {self.name!r}: no {self.operator} has a weight of shape {shape}")
        for what, values, wanted in (
            ("strides", self.strides, size),
            ("dilations", self.dilations, size),
            ("pads", self.pads, 2 * size),
        ):
            if values is not None and len(values) != wanted:
                given = f"{wanted} {what}, not {list(values)}"
                raise InvalidData(f"layer {self.name!r}: a weight of shape {shape} goes with {given}")

    @property
    def kernel(self) -> tuple[int, ...]:
        """Sizes of the kernel; empty for a matrix."""
        return self.weight_shape[2:]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of a stack.

    Attributes:
        name: Of its node, and of the value that it gives, unless it is the last.
        bias: Name of what it adds; empty for all but the last.
        axes: The axes of the kernel that it has, counted from 0.
        weight_shape: ``(outputs, inputs, *kernel)``, with 1 for an axis that it lacks.
        strides: For each axis of the kernel.
        pads: The begins of all axes of the kernel, then the ends; None where they are not known.
        dilations: For each axis of the kernel.
    """

    name: str
    bias: str
    axes: tuple[int, ...]
    weight_shape: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...] | None
    dilations: tuple[int, ...]

    @property
    def weight(self) -> str:
        """Name of its weight."""
        return f"{self.name}/weight"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """How a layer is split.

    Attributes:
        layer: What it was.
        form: How.
        ranks: Channels between the parts, in their order: two for Tucker-2, or else one.
        first_axes: The axes of the kernel that the first part has, counted from 0; none for a matrix and for Tucker-2.
        new_bias: Whether the last part has a bias of its own in place of what the layer had.

    Raises:
        InvalidData: Form, axes and ranks do not fit each other or the layer.
    """

    layer: Layer
    form: Form
    ranks: tuple[int, ...]
    first_axes: tuple[int, ...] = ()
    new_bias: bool = False

    def __post_init__(self) -> None:
        name, first, every = self.layer.name, self.first_axes, tuple(range(len(self.layer.kernel)))
        fitting = {
            "spatial": 0 < len(first) < len(every) and list(first) == sorted(set(first) & set(every)),
            "channel": first == every != (),
            "low_rank": first == every and prod(self.layer.kernel) == 1,
            "tucker2": first == () != every,
        }
        if not fitting[self.form]:
            sizes = list(self.layer.weight_shape)
            raise InvalidData(f"layer {name!r}, {sizes}, has no form {self.form!r} with the axes {list(first)} first")
        if len(self.ranks) != len(self.roles) - 1 or min(self.ranks) < 1:
            wanted = f"{len(self.roles) - 1} positive ranks, not {list(self.ranks)}"
            raise InvalidData(f"layer {name!r}: the form {self.form!r} has {wanted}")

    @property
    def roles(self) -> tuple[str, ...]:
        """What its parts are called, in their order."""
        return ("first", "core", "last") if self.form == "tucker2" else ("first", "last")

    @property
    def bias(self) -> str:
        """Name of what the last part adds; empty where that is nothing, or not known."""
        return f"{self.layer.name}/decom_last/bias" if self.new_bias else self.layer.bias

    @property
    def parts(self) -> tuple[Part, ...]:
        """The layers that take the place of the one."""
        outputs, inputs = self.layer.weight_shape[:2]
        every = tuple(range(len(self.layer.kernel)))
        rest = tuple(axis for axis in every if axis not in self.first_axes)
        axes = ((), every, ()) if self.form == "tucker2" else (self.first_axes, rest)
        channels = pairwise((inputs, *self.ranks, outputs))
        return tuple(_part(self, *what) for what in zip(self.roles, axes, channels, strict=True))


def _part(stack: Stack, role: str, axes: tuple[int, ...], channels: tuple[int, int]) -> Part:
    layer = stack.layer
    both = (*axes, *(axis + len(layer.kernel) for axis in axes))
    return Part(
        name=f"{layer.name}/decom_{role}",
        bias=stack.bias if role == "last" else "",
        axes=axes,
        weight_shape=(channels[1], channels[0], *_kept(layer.kernel, axes, 1)),
        strides=_kept(layer.strides, axes, 1),
        pads=None if layer.pads is None else _kept(layer.pads, both, 0),
        dilations=_kept(layer.dilations, axes, 1),
    )


def _kept(values: Sequence[int], axes: Iterable[int], otherwise: int) -> tuple[int, ...]:
    kept = set(axes)
    return tuple(value if axis in kept else otherwise for axis, value in enumerate(values))

"""What a Loop or Scan of ONNX carries from step to step, and what it collects, in the layouts that its body prefers.

A variable starts in the layout of its first value.  Where the body then gives it with its channels last, the body is
written once more with a variable that has them last from the start: one Transpose before the loop, none in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxpress_backends.tensorflow.call import Call, shape_of
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.loops.iterating import Iteration, element_shape, reserved, stacked, with_element

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.lowering import Scope

Layouts = Mapping[int, Layout]
"""Layout of a variable, by its number, where it is not that of its first value."""


@dataclass(frozen=True)
class Begun:
    """A loop whose body is written, or about to be."""

    iteration: Iteration
    scope: Scope
    states: States


def begun(begin: Callable[[Layouts], Begun]) -> Begun:
    """The loop that `begin` gives, its body written with the layouts that it prefers."""
    loop = begin({})
    loop.scope.run()
    preferred = loop.states.preferred()
    if preferred:
        loop.iteration.discard()
        loop = begin(preferred)
        loop.scope.run()
    return loop


class States:
    """The variables of a loop.  One that the body only hands on is none: the body sees the value itself.

    Args:
        call: The node.
        scope: The scope of its body.
        iteration: The loop.
        start: Number of the input that holds the first of them.
        names: Each as it stands before and after a step.
        layouts: In which layouts to carry them.
    """

    def __init__(
        self,
        call: Call,
        scope: Scope,
        iteration: Iteration,
        *,
        start: int,
        names: Sequence[tuple[ir.Value, ir.Value]],
        layouts: Layouts,
    ) -> None:
        self._names, self._scope = names, scope
        self._kept: dict[int, Value] = {}
        self._layouts: dict[int, Layout | None] = {}
        for index, (before, after) in enumerate(names):
            first, source = call.value(start + index), call.node.inputs[start + index]
            if origin(after) is before and source is not None:
                self._kept[index] = first
                scope.values[before] = scope.value(source)
                continue
            shape = shape_of(before)
            layout = None if shape is None or first.shape is None else layouts.get(index, first.permuted.layout)
            argument = iteration.carry(first.tensor(layout), arranged(shape, layout), before.name or "state")
            scope.define(before, Laid(argument, layout))
            self._layouts[index] = layout

    def updates(self) -> list[Tensor]:
        """What they become in a step."""
        return [self._scope.value(self._names[index][1]).tensor(layout) for index, layout in self._layouts.items()]

    def preferred(self) -> Layouts:
        """Layouts other than ONNX's that the body gives variables in which it takes in ONNX's."""
        given = {
            index: self._scope.value(self._names[index][1]).permuted.layout
            for index, layout in self._layouts.items()
            if layout is not None and layout.is_logical
        }
        return {index: layout for index, layout in given.items() if layout is not None and not layout.is_logical}

    def results(self, last: Sequence[Tensor]) -> list[Laid | Value]:
        """What they are after the last step, which left `last`."""
        changed = dict(zip(self._layouts, last, strict=False))
        return [
            self._kept[index] if index in self._kept else Laid(changed[index], self._layouts[index])
            for index in range(len(self._names))
        ]


@dataclass(frozen=True)
class Collected:
    """What each step gives one element of.

    Attributes:
        value: The element, in the body.
        layout: How it lies.
        items: The list, in the body.
        count: The number of elements; None: not known before the loop, and the list grows.
        axis: The ONNX axis along which the elements are joined.
        reverse: Whether the last element stands first.
    """

    value: Value
    layout: Layout | None
    items: Tensor
    count: Tensor | None
    axis: int
    reverse: bool

    @classmethod
    def carried(
        cls, iteration: Iteration, value: Value, count: Tensor | None, *, axis: int = 0, reverse: bool = False
    ) -> Collected:
        """Have the loop carry a list of `count` elements, or one that grows."""
        layout, call = value.permuted.layout, iteration.call
        if layout is None and axis:
            call.refuse(f"the rank of {value.name!r}, which it joins along axis {axis}, must be known")
        room = call.const(0, DType.INT32) if count is None else count
        items = reserved(call, value.dtype, arranged(value.shape, layout), room)
        argument = iteration.carry(items, (), f"{value.name}_items")
        return cls(value, layout, argument, count, axis, reverse)

    def update(self, iteration: Iteration) -> Tensor:
        """The list with the element of a step."""
        index = iteration.step_from_end() if self.reverse else iteration.step
        item = self.value.tensor(self.layout)
        return with_element(iteration.inside, self.items, index, item, growing=self.count is None)

    @property
    def may_be_empty(self) -> bool:
        """Whether there may be no element, and only those tell its shape."""
        shape, count = self.value.shape, self.count
        some = count is not None and count.node.op == "Const" and bool(count.node.attrs["value"] > 0)
        return shape is not None and None in shape and not some

    def result(self, call: Call, items: Tensor, made: Tensor) -> Laid:
        """All elements in one tensor; where there are none, axes of unknown size are empty.

        Args:
            call: The node.
            items: The list.
            made: The number of steps made, where none was known before and the list may be empty.
        """
        shape = arranged(self.value.shape, self.layout)
        sizes, count = element_shape(call, shape), self.count or made
        if self.may_be_empty and shape is not None:
            empty = call.const([length or 0 for length in shape], DType.INT32)
            sizes = call.emit("SelectV2", call.emit("Equal", count, call.const(0, DType.INT32)), empty, sizes)
        tensor = stacked(call, items, sizes, self.value.dtype)
        if self.layout is None:
            return Laid(tensor, None)
        axis = self.axis % (self.layout.rank + 1)
        return Laid(tensor, Layout((axis, *(other + (other >= axis) for other in self.layout.perm))))


def origin(value: ir.Value) -> ir.Value:
    """What `value` is a copy of."""
    maker = value.producer()
    while maker is not None and maker.op_type == "Identity" and not maker.domain and maker.inputs[0] is not None:
        value = maker.inputs[0]
        maker = value.producer()
    return value


def arranged(shape: Shape | None, layout: Layout | None) -> Shape | None:
    """A shape as it lies; None where the layout is unknown."""
    return None if shape is None or layout is None else layout.arrange(shape)

"""Loops, written as tf.while_loop writes them: a counter and its limit first, then what is carried from step to step.

    _, _, last v ..., _ ... = StatelessWhile(0, limit, first v ..., captured ...)
        cond(step, limit, v ..., captured ...) = step < limit and going on
        body(step, limit, v ..., captured ...) = step + 1, limit, next v ..., captured ...

What the steps give one element of each is collected in a TensorList, element `step` of which a step sets.  This form is
what TensorFlow's gradients, its TFLite converter and tf2onnx expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function, share
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Shape

_PARALLEL = 32
"""Steps that may be under way at once, as Keras has it."""


@dataclass(frozen=True)
class _Variable:
    """What is carried: before the first step, in the body, and its shape at any time."""

    first: Tensor
    argument: Tensor
    shape: Shape | None


class Iteration:
    """A loop under construction.

    Args:
        call: The ONNX node that it is written for.
        limit: The number of steps, an INT32 scalar; None: no limit.
        condition: Whether there is a first step, a BOOL scalar; None: only the limit counts.

    Attributes:
        call: The node.
        body: The function that makes a step.
        inside: Writes into it.
        step: The number of the step in the body, from 0, an INT32 scalar.
        going_on: The condition in the body; None where there is none.
    """

    def __init__(self, call: Call, limit: Tensor | None, condition: Tensor | None = None) -> None:
        self.call, self._has_limit = call, limit is not None
        self.body = Function.within(call.graph, f"{call.title}_body")
        self.inside = Call(call.node, call.scope.within(call.scope.source, self.body))
        counts = call.const(0, DType.INT32), limit or call.const(-1, DType.INT32)
        names = ("step", "limit")
        self._variables = [
            _Variable(first, self.body.argument(DType.INT32, name, ()), ())
            for first, name in zip(counts, names, strict=True)
        ]
        self.step = self._variables[0].argument
        self.going_on = None if condition is None else self.carry(condition, (), "going_on")

    def carry(self, first: Tensor, shape: Shape | None, name: str) -> Tensor:
        """A variable; its value in the body.

        Args:
            first: Its value before the first step.
            shape: Its shape in memory, now and after any step.
            name: What to call it.
        """
        argument = self.body.argument(first.dtype, name, shape)
        self._variables.append(_Variable(first, argument, shape))
        return argument

    def step_from_end(self) -> Tensor:
        """The number of steps that follow."""
        left = self.inside.emit("Sub", self._variables[1].argument, self.step)
        return self.inside.emit("Sub", left, self.inside.const(1, DType.INT32))

    def discard(self) -> None:
        """Take the body, and the functions that it calls, out of the library again."""
        library = self.call.graph.root.functions
        del library[library.index(self.body) :]

    def write(self, updates: Sequence[Tensor], *, going_on: Tensor | None = None) -> list[Tensor]:
        """The loop, once its body is written.

        Args:
            updates: What each variable becomes, in the order they were carried.
            going_on: What the condition becomes, where there is one.

        Returns:
            The last value of each variable.
        """
        following = self.inside.emit("AddV2", self.step, self.inside.const(1, DType.INT32))
        own = [following, self._variables[1].argument, *([] if going_on is None else [going_on])]
        condition = self._condition()
        outside = share(self.body, condition)
        self.body.give([*own, *updates, *self.body.captured.values()])
        node = self.call.emit_node(
            "StatelessWhile",
            [*(variable.first for variable in self._variables), *outside],
            cond=condition,
            body=self.body,
            output_shapes=[argument.node.attrs["shape"] for argument in self.body.arguments],
            parallel_iterations=_PARALLEL,
        )
        return [Tensor(node, index) for index in range(len(own), len(self._variables))]

    def _condition(self) -> Function:
        function = Function.within(self.call.graph, f"{self.call.title}_cond")
        for variable in self._variables:
            function.argument(variable.argument.dtype, variable.argument.node.name, variable.shape)
        step, limit, *others = function.inputs
        terms = [Tensor(function.add("Less", step, limit))] if self._has_limit else []
        if self.going_on is not None:
            terms.append(others[0])
        function.give([Tensor(function.add("LogicalAnd", *terms)) if len(terms) == 2 else terms[0]])
        return function


def size(call: Call, index: int, axis: int) -> Tensor:
    """Size of an input along an axis of ONNX, an INT32 scalar."""
    value = call.value(index)
    known = None if value.shape is None else value.shape[axis]
    if known is not None:
        return call.const(known, DType.INT32)
    tensor, layout = value.permuted
    place = call.const(axis if layout is None else layout.axis(axis), DType.INT32)
    return call.emit("GatherV2", call.emit("Shape", tensor), place, call.const(0, DType.INT32))


def reserved(call: Call, dtype: DType, shape: Shape | None, count: Tensor) -> Tensor:
    """A list of `count` elements that are not set yet."""
    return call.emit("TensorListReserve", element_shape(call, shape), count, element_dtype=dtype)


def unstacked(call: Call, tensor: Tensor, shape: Shape) -> Tensor:
    """The rows of a tensor along its first axis, of this shape each, as a list."""
    return call.emit("TensorListFromTensor", tensor, element_shape(call, shape))


def element(call: Call, items: Tensor, index: Tensor, dtype: DType, shape: Shape) -> Tensor:
    """One element of a list."""
    return call.emit("TensorListGetItem", items, index, element_shape(call, shape), element_dtype=dtype)


def with_element(call: Call, items: Tensor, index: Tensor, item: Tensor, *, growing: bool = False) -> Tensor:
    """The list with one element set; a list that grows does so where it is too short."""
    return call.emit("TensorListSetItem", items, index, item, resize_if_index_out_of_bounds=growing)


def stacked(call: Call, items: Tensor, shape: Tensor, dtype: DType) -> Tensor:
    """The elements of a list in one tensor, along a new first axis."""
    return call.emit("TensorListStack", items, shape, element_dtype=dtype)


def element_shape(call: Call, shape: Shape | None) -> Tensor:
    """The shape of the elements of a list, as its operators take it."""
    if shape is None:
        return call.const(-1, DType.INT32)
    return call.const([-1 if size is None else size for size in shape], DType.INT32)

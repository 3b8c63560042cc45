"""Small numbers (sizes, pads, positions, weights) worked out on paper where they are known, by TensorFlow where not.

A formula is written once, over terms: where all it needs is known when the graph is written, its result is a constant;
where a size or an operand is only known when the model runs, the same formula becomes nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_numpy
from onnxpress_backends.tensorflow.graphs.graph import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NUMPY: Mapping[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "AddV2": np.add,
    "Ceil": np.ceil,
    "Equal": np.equal,
    "Floor": np.floor,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Greater": np.greater,
    "Less": np.less,
    "LogicalAnd": np.logical_and,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Round": np.rint,
    "SelectV2": np.where,
    "Sub": np.subtract,
}
"""What TensorFlow's operators are in numpy; equal to them, types included."""

_REDUCTIONS: Mapping[str, Callable[..., Any]] = {"Max": np.max, "Min": np.min, "Prod": np.prod, "Sum": np.sum}


@dataclass(frozen=True, eq=False)
class Term:
    """A number or an array of numbers in a formula.

    Attributes:
        call: The node that it is worked out for.
        held: Its value, or the tensor that will have it.
    """

    call: Call
    held: NDArray[Any] | Tensor

    @property
    def known(self) -> NDArray[Any] | None:
        """Its value, when it is known."""
        return None if isinstance(self.held, Tensor) else self.held

    @property
    def dtype(self) -> DType:
        """Type of its elements."""
        return self.held.dtype if isinstance(self.held, Tensor) else of_numpy(self.held.dtype)

    @property
    def tensor(self) -> Tensor:
        """It as a tensor; a constant when it is known."""
        return self.held if isinstance(self.held, Tensor) else self.call.const(self.held, self.dtype)

    def __add__(self, other: Term | float) -> Term:
        return self.with_("AddV2", other)

    def __sub__(self, other: Term | float) -> Term:
        return self.with_("Sub", other)

    def __rsub__(self, other: float) -> Term:
        return self._like(other) - self

    def __mul__(self, other: Term | float) -> Term:
        return self.with_("Mul", other)

    def __truediv__(self, other: Term | float) -> Term:
        return self.with_("RealDiv", other)

    def __floordiv__(self, other: Term | float) -> Term:
        return self.with_("FloorDiv", other)

    def __mod__(self, other: Term | float) -> Term:
        return self.with_("FloorMod", other)

    def __lt__(self, other: Term | float) -> Term:
        return self.with_("Less", other)

    def __gt__(self, other: Term | float) -> Term:
        return self.with_("Greater", other)

    def __and__(self, other: Term) -> Term:
        return self.with_("LogicalAnd", other)

    def __neg__(self) -> Term:
        return 0 - self

    def equals(self, other: Term | float) -> Term:
        """Element by element, whether both are the same."""
        return self.with_("Equal", other)

    def clip(self, low: Term | float, high: Term | float) -> Term:
        """What is below `low` becomes `low`, then what is above `high` becomes `high`."""
        return self.with_("Maximum", low).with_("Minimum", high)

    def least(self, low: Term | float) -> Term:
        """At least `low`."""
        return self.with_("Maximum", low)

    def most(self, high: Term | float) -> Term:
        """At most `high`."""
        return self.with_("Minimum", high)

    def floor(self) -> Term:
        """Rounded down, of the same type."""
        return self.with_("Floor")

    def ceil(self) -> Term:
        """Rounded up, of the same type."""
        return self.with_("Ceil")

    def round(self) -> Term:
        """To the nearest whole number, halves to the even one, of the same type."""
        return self.with_("Round")

    def abs(self) -> Term:
        """Without its sign."""
        return self.with_("Abs")

    def where(self, yes: Term, no: Term | float) -> Term:
        """`yes` where it is true, else `no`."""
        return _worked(self.call, "SelectV2", self, yes, yes._like(no))

    def to(self, dtype: DType) -> Term:
        """Of another type; fractions are cut off."""
        if isinstance(self.held, Tensor):
            return Term(self.call, self.call.cast(self.held, dtype))
        return Term(self.call, self.held.astype(dtype.numpy))

    def at(self, *axes: int) -> Term:
        """With axes of size 1 more, at these places of the result, in rising order."""
        held = self.held
        for axis in axes:
            if isinstance(held, Tensor):
                held = self.call.emit("ExpandDims", held, self.call.const(axis, DType.INT32))
            else:
                held = np.expand_dims(held, axis)
        return Term(self.call, held)

    def reshape(self, *shape: int) -> Term:
        """Of another shape; -1 is what is left."""
        if isinstance(self.held, Tensor):
            return Term(self.call, self.call.emit("Reshape", self.held, self.call.const(shape, DType.INT32)))
        return Term(self.call, self.held.reshape(shape))

    def reduce(self, op: str, axis: int) -> Term:
        """``Sum``, ``Max``, ``Min`` or ``Prod`` over an axis, which goes."""
        if isinstance(self.held, Tensor):
            return Term(self.call, self.call.emit(op, self.held, self.call.const([axis], DType.INT32)))
        return Term(self.call, np.asarray(_REDUCTIONS[op](self.held, axis=axis), self.held.dtype))

    def __getitem__(self, index: int) -> Term:
        """Element `index` of the first axis."""
        if isinstance(self.held, Tensor):
            zero = self.call.const(0, DType.INT32)
            return Term(self.call, self.call.emit("GatherV2", self.held, self.call.const(index, DType.INT32), zero))
        return Term(self.call, np.asarray(self.held[index]))

    def take(self, index: Term) -> Term:
        """The elements of the first axis that `index` names."""
        if self.known is not None and index.known is not None:
            return Term(self.call, np.asarray(self.known[index.known]))
        zero = self.call.const(0, DType.INT32)
        return Term(self.call, self.call.emit("GatherV2", self.tensor, index.tensor, zero))

    def scalar(self) -> Term:
        """A number that may be a vector of one element, as a number."""
        if self.known is not None:
            return Term(self.call, self.known.reshape(()))
        return Term(self.call, self.call.emit("Reshape", self.tensor, self.call.const([], DType.INT32)))

    def with_(self, op: str, *others: Term | float) -> Term:
        """An elementwise operator of TensorFlow's; plain numbers take this term's type."""
        return _worked(self.call, op, self, *(self._like(other) for other in others))

    def _like(self, other: Term | float) -> Term:
        return other if isinstance(other, Term) else Term(self.call, np.asarray(other, self.dtype.numpy))


def _worked(call: Call, op: str, *terms: Term) -> Term:
    known = [term.held for term in terms if not isinstance(term.held, Tensor)]
    if len(known) == len(terms):
        with np.errstate(divide="ignore", invalid="ignore"):
            return Term(call, np.asarray(_NUMPY[op](*known)))
    return Term(call, call.emit(op, *(term.tensor for term in terms)))


def term(call: Call, value: ArrayLike, dtype: DType = DType.INT32) -> Term:
    """A known number or array."""
    return Term(call, np.asarray(value, dtype.numpy))


def given(call: Call, index: int) -> Term:
    """Input `index` of a node, in ONNX's order."""
    constant = call.constant(index)
    return Term(call, call.tensor(index) if constant is None else constant)


def sizes(call: Call, index: int, dtype: DType = DType.INT32) -> list[Term]:
    """ONNX sizes of input `index`; those that are not known are read when the model runs."""
    shape = call.shape(index)
    if None not in shape:
        return [term(call, size or 0, dtype) for size in shape]
    vector = Term(call, call.runtime_shape(index, dtype))
    return [vector[axis] if size is None else term(call, size, dtype) for axis, size in enumerate(shape)]


def count(call: Call, size: Term) -> Term:
    """0, 1, 2 ... below `size`."""
    if size.known is not None:
        return Term(call, np.arange(int(size.known), dtype=size.dtype.numpy))
    return Term(
        call, call.emit("Range", term(call, 0, size.dtype).tensor, size.tensor, term(call, 1, size.dtype).tensor)
    )


def product(terms: Sequence[Term]) -> Term:
    """All of them multiplied."""
    total = terms[0]
    for each in terms[1:]:
        total = total * each
    return total


def packed(call: Call, terms: Sequence[Term]) -> Term:
    """Scalars as a vector, or vectors as the rows of a matrix."""
    known = [each.held for each in terms if not isinstance(each.held, Tensor)]
    if len(known) == len(terms):
        return Term(call, np.stack(known))
    return Term(call, call.emit("Pack", [each.tensor for each in terms]))


def reshaped(call: Call, tensor: Tensor, shape: Sequence[Term]) -> Tensor:
    """`tensor` of a shape; when one size of it is not known, that is what is left."""
    unknown = [axis for axis, size in enumerate(shape) if size.known is None]
    left = [term(call, -1, size.dtype) if [axis] == unknown else size for axis, size in enumerate(shape)]
    return call.emit("Reshape", tensor, packed(call, left).tensor)

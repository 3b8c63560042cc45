"""What is known, before the run, of the shapes of a model's values and of the sizes that its integer tensors hold.

ONNX's own inference gives every dimension that it cannot tell a name of its own, ``unk__3``.  What an operator says of
its output (`output_shapes`) is an equation for such a name, ``unk__3 = 2 N``; it is written in names that appeared
earlier, and taken over only at the value where the name appears for the first time: there it is the name's definition.
An equation between names that exist already would hold in a branch that is run, and not in one that is not.

By the ONNX standard a name is an identifier, and two dimensions of one name are equal, in subgraphs too.  Some
exporters write ``?`` or ``None`` where they know nothing; that is taken for no name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir

from onnxpress.constants import constant
from onnxpress_plugins.cleaning.symbolic_sizes import Size, Symbol

Sizes = list[Size]
Contents = list[Size | None]
"""Elements of an integer tensor of rank 0 or 1; None where nothing is known of one."""

_LONGEST = 256
"""Elements of a constant beyond which it is no list of sizes."""


class ShapeFacts:
    """Shapes and contents of values, in sizes that refer to as few names as possible."""

    def __init__(self) -> None:
        self._equations: dict[Symbol, Size] = {}
        self._met: set[Symbol] = set()
        self._contents: dict[ir.Value, Contents] = {}

    def shape(self, value: ir.Value | None) -> Sizes | None:
        """Size of every axis; None when not even the rank is known."""
        if value is None or value.shape is None:
            return None
        return [self._size(dim) for dim in _dimensions(value)]

    def contents(self, value: ir.Value | None) -> Contents | None:
        """What the tensor holds; None when it is no list of integers, or none that is known."""
        if value in self._contents:
            return self._contents[value]
        tensor = constant(value)
        if tensor is None or tensor.dtype not in (ir.DataType.INT64, ir.DataType.INT32):
            return None
        return [Size(int(size)) for size in tensor.numpy().reshape(-1)] if _is_short(tensor) else None

    def meet(self, values: Iterable[ir.Value]) -> None:
        """Take the names in the shapes of `values` as given."""
        for value in values:
            self._met.update(dim for dim in _dimensions(value) if not isinstance(dim, int))

    def define(self, value: ir.Value, sizes: Sequence[Size | None]) -> None:
        """Take over `sizes` as the shape of `value`, as far as its dimensions are new names."""
        if value.shape is None:
            value.shape = ir.Shape([None] * len(sizes))
        for dim, size in zip(_dimensions(value), sizes, strict=False):
            if size is not None and not isinstance(dim, int) and dim not in self._met:
                self._equations[dim] = size
                self._met.add(dim)

    def hold(self, value: ir.Value, contents: Contents) -> None:
        """Note what the integer tensor `value` holds."""
        self._contents[value] = contents

    def name_dimensions(self, value: ir.Value) -> None:
        """Write into the shape of `value` what its dimensions are equal to, where that is a number or one name."""
        if value.shape is None:
            return
        names = [_name(self._size(symbol)) for symbol in _dimensions(value)]
        value.shape = ir.Shape([dim if name is None else name for dim, name in zip(value.shape, names, strict=True)])

    def _size(self, dim: int | Symbol) -> Size:
        return Size(dim) if isinstance(dim, int) else self._equations.get(dim) or Size.of(dim)


def _dimensions(value: ir.Value) -> list[int | Symbol]:
    sizes = enumerate(value.shape or ())
    return [size if isinstance(size, int) else _symbol(size, value, axis) for axis, size in sizes]


def _symbol(size: ir.SymbolicDim, value: ir.Value, axis: int) -> Symbol:
    name = size.value
    return (value.name, axis) if name is None or not name.isidentifier() or name == "None" else name


def _name(size: Size) -> int | str | None:
    if size.is_number:
        return size.number
    return size.symbol if isinstance(size.symbol, str) else None


def _is_short(tensor: ir.TensorProtocol) -> bool:
    return len(tensor.shape) <= 1 and tensor.size <= _LONGEST

"""Weights and biases of integers, as GE looks for them in a graph of floats.

A weight is an int8 Const in front of AscendWeightQuant, whose offset is zero; a bias is an int32 Const in front of a
Cast, for a float32 does not hold every integer above 2**24.  Layers that share a Const have nodes of their own behind
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.operators import WEIGHT_QUANT
from onnxpress_backends.tensorflow.call import Call
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement, Constant
from onnxpress_backends.tensorflow.layout.values import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(eq=False)
class IntegerLayer(Call):
    """A layer whose constants are integers, and whose rule sees floats.

    Attributes:
        offsets_axis: The axis of an arranged weight of rank 4 that has an offset for each channel.
        told: Attributes that the rule is told instead of the node's.
        groups: How many groups of channels become one.
    """

    offsets_axis: int = field(default=3, kw_only=True)
    told: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    groups: int = field(default=1, kw_only=True)

    @property
    def op_type(self) -> str:
        """The operator in ONNX."""
        return self.node.op_type

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value; `default` when it is not given."""
        return self.told[name] if name in self.told else super().attribute(name, default)

    def value(self, index: int) -> Value:
        """Input `index`; the weight (input 1) and the bias (input 2) as floats."""
        stored = super().value(index)
        if index == 0:
            return stored
        if index > 1:
            return self.bias_of(stored)
        return self.weight_of(stored if self.groups == 1 else dense(stored, self.groups))

    def weight_of(self, stored: Value) -> Value:
        """An int8 constant as floats."""
        return _as_floats(stored, partial(self._weight, stored))

    def bias_of(self, stored: Value) -> Value:
        """An int32 constant as floats."""
        return _as_floats(stored, partial(self._bias, stored))

    def _weight(self, stored: Value, _: Value, arrangement: Arrangement) -> Tensor:
        sizes = [1]
        if self.attribute("scales") > 1 and len(arrangement.shape) == 4:
            sizes = [size if axis == self.offsets_axis else 1 for axis, size in enumerate(arrangement.shape)]
        zeros, name = np.zeros(sizes, np.int8), f"{self.node.name}.weight_offset"
        offset = Tensor(self.graph.add("Const", name=name, value=zeros, dtype=DType.INT8))
        name = f"{self.node.name}.weight_quant"
        return Tensor(self.graph.add(WEIGHT_QUANT, stored.weight(arrangement), offset, T=DType.FLOAT, name=name))

    def _bias(self, stored: Value, _: Value, arrangement: Arrangement) -> Tensor:
        integers, name = stored.weight(arrangement), f"{self.node.name}.bias"
        return Tensor(self.graph.add("Cast", integers, DstT=DType.FLOAT, name=name))


def parts(stored: Value, count: int) -> list[Value]:
    """A constant in equal parts along its first axis, each a constant of its own."""
    whole = _constant(stored)
    shape = (whole.shape[0] // count, *whole.shape[1:])

    def part(index: int) -> Value:
        return _computed(stored, f"{stored.name}_{index}", shape, lambda: np.split(whole.array(), count)[index])

    return [part(index) for index in range(count)]


def dense(stored: Value, groups: int) -> Value:
    """The weight of a convolution in groups as that of one without: between channels of different groups are zeros.

    Args:
        stored: The weight, ``[groups * rows, columns, ...]``.
        groups: How many.

    Returns:
        The weight ``[groups * rows, groups * columns, ...]``.
    """
    narrow = _constant(stored)
    rows, columns = narrow.shape[0] // groups, narrow.shape[1]
    shape = (narrow.shape[0], groups * columns, *narrow.shape[2:])

    def spread() -> NDArray[Any]:
        wide, weight = np.zeros(shape, narrow.dtype.numpy), narrow.array()
        for group in range(groups):
            mine = slice(group * rows, (group + 1) * rows)
            wide[mine, group * columns : (group + 1) * columns] = weight[mine]
        return wide

    return _computed(stored, f"{stored.name}_dense", shape, spread)


def _computed(stored: Value, name: str, shape: tuple[int, ...], read: Callable[[], NDArray[Any]]) -> Value:
    """A constant made of another when it is written."""
    whole = _constant(stored)
    source = ir.LazyTensor(
        lambda: ir.tensor(read()), dtype=ir.DataType.from_numpy(whole.dtype.numpy), shape=ir.Shape(shape), name=name
    )
    constant = replace(whole, name=name, source=source, shape=shape)
    return replace(stored, name=name, shape=shape, forms={}, arranged={}, constant=constant)


def _constant(stored: Value) -> Constant:
    assert stored.constant is not None
    return stored.constant


def _as_floats(stored: Value, write: Callable[[Value, Arrangement], Tensor]) -> Value:
    """A constant of integers to a rule that wants floats."""
    constant = replace(_constant(stored), dtype=DType.FLOAT)
    return replace(stored, dtype=DType.FLOAT, forms={}, arranged={}, constant=constant, simulate=write)

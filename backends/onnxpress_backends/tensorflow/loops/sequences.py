"""Sequences: lists of values, known when the graph is written.

How many elements a sequence has is known; where one stands may be computed.  TensorFlow's graph then holds the elements
in a TensorList and reads the one that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.layout.constants import Arrangement
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape, common_shape, logical
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.loops.iterating import element_shape

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.call import Call
    from onnxpress_backends.tensorflow.graphs.graph import Tensor


@dataclass(eq=False, kw_only=True)
class Items(Value):
    """A sequence.

    Attributes:
        items: Its elements.
    """

    items: tuple[Value, ...]

    @property
    def laid(self) -> Laid:
        """Nothing: it is no tensor."""
        self._refuse()

    def tensor(self, layout: Layout | None = None) -> Tensor:
        """Nothing: it is no tensor."""
        self._refuse()

    def weight(self, arrangement: Arrangement) -> Tensor:
        """Nothing: it is no tensor."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UnsupportedModel(
            f"{self.name!r} is a sequence, which is no tensor; it cannot be an input or output, "
            "nor go through a Loop or an If whose condition is computed"
        )


def sequence(call: Call, items: Sequence[Value], dtype: DType) -> Items:
    """A sequence that a node gives."""
    return Items(graph=call.graph, name=call.title, dtype=dtype, shape=None, items=tuple(items))


def picked(call: Call, values: Sequence[Value], indices: Sequence[Tensor]) -> list[Value]:
    """Of some values those at indices that are computed, INT32 scalars."""
    shape = common_shape([value.shape for value in values])
    sizes = element_shape(call, shape)
    none = call.const(-1, DType.INT32)
    items = call.emit("EmptyTensorList", sizes, none, element_dtype=values[0].dtype)
    for value in values:
        items = call.emit("TensorListPushBack", items, value.tensor())
    read = [call.emit("TensorListGetItem", items, index, sizes, element_dtype=values[0].dtype) for index in indices]
    return [_value(call, tensor, shape) for tensor in read]


def _value(call: Call, tensor: Tensor, shape: Shape | None) -> Value:
    value = Value(graph=call.graph, name=call.title, dtype=tensor.dtype, shape=shape)
    value.forms[None if shape is None else logical(len(shape))] = tensor
    return value

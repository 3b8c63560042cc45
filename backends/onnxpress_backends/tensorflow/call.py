"""What a rule sees of the ONNX node it lowers: inputs in the layout it asks for, attributes, shapes, and a pen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import onnx_ir as ir

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.graphs.dtypes import DType, of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape
from onnxpress_backends.tensorflow.layout.values import Laid, Value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from onnxpress_backends.tensorflow.lowering import Scope

Result = Tensor | Laid | Value | None | Sequence[Tensor | Laid | Value | None]
Rule = Callable[["Call"], Result]


@dataclass(eq=False)
class Call:
    """One ONNX node.

    Attributes:
        node: The node.
        scope: The ONNX graph it is in, on its way.
        made: The TensorFlow nodes written for it.
    """

    node: ir.Node
    scope: Scope
    made: list[Node] = field(default_factory=list)

    @property
    def graph(self) -> Graph:
        """The TensorFlow graph that is written."""
        return self.scope.graph

    @property
    def opset(self) -> int:
        """Version of the operator's domain."""
        return self.scope.opset(self.node.domain)

    # What goes in

    def has(self, index: int) -> bool:
        """Whether input `index` is given."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def value(self, index: int) -> Value:
        """Input `index`, whatever it lies like."""
        given = self.node.inputs[index] if index < len(self.node.inputs) else None
        if given is None:
            self.refuse(f"input {index} is missing")
        return self.scope.value(given)

    @property
    def values(self) -> list[Value]:
        """All inputs, of a node that takes any number."""
        return [self.value(index) for index in range(len(self.node.inputs))]

    def tensor(self, index: int, layout: Layout | None = None) -> Tensor:
        """Input `index` in a layout; None: as ONNX has it."""
        return self.value(index).tensor(layout)

    def weight(self, index: int, view: Sequence[int], perm: Sequence[int], shape: Sequence[int]) -> Tensor:
        """Input `index` reshaped to `view`, transposed by `perm` and reshaped to `shape`, on paper when it can be."""
        arrangement = Arrangement(view=tuple(view), perm=tuple(perm), shape=tuple(shape))
        return self.value(index).weight(arrangement)

    def constant(self, index: int) -> NDArray[Any] | None:
        """Input `index` when it is given and known."""
        constant = self.value(index).constant if self.has(index) else None
        return None if constant is None else constant.array()

    def integers(self, name: str, index: int) -> list[int] | None:
        """A list that is an attribute in old opsets and an input in new ones; None when it is not given.

        Raises:
            UnsupportedModel: It is an input that is computed.
        """
        if name in self.node.attributes:
            return list(self.node.attributes[name].as_ints())
        if not self.has(index):
            return None
        array = self.constant(index)
        if array is None:
            self.refuse(f"{name} (input {index}) is computed; it must be a constant")
        return [int(item) for item in array.reshape(-1)]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value; `default` when it is not given."""
        attribute = self.node.attributes.get(name)
        if attribute is None:
            return default
        value = attribute.value
        return list(value) if isinstance(value, tuple) else value

    def shape(self, index: int) -> Shape:
        """ONNX shape of input `index`, None for unknown sizes.

        Raises:
            UnsupportedModel: The rank is unknown.
        """
        value = self.value(index)
        _ = value.rank
        assert value.shape is not None
        return value.shape

    def sizes(self, index: int) -> tuple[int, ...]:
        """ONNX shape of input `index`, which must be known altogether.

        Raises:
            UnsupportedModel: It is not.
        """
        known = [size for size in self.shape(index) if size is not None]
        if len(known) < self.rank(index):
            self.refuse(f"the shape of input {index} must be known, and is {_spell(self.shape(index))}")
        return tuple(known)

    def rank(self, index: int) -> int:
        """Number of axes of input `index`."""
        return self.value(index).rank

    def dtype(self, index: int) -> DType:
        """Element type of input `index`."""
        return self.value(index).dtype

    def runtime_shape(self, index: int, dtype: DType = DType.INT64) -> Tensor:
        """ONNX shape of input `index` as a vector: a constant when it is known, else computed."""
        value = self.value(index)
        if value.shape is not None and None not in value.shape:
            return self.const(self.sizes(index), dtype)
        tensor, layout = value.permuted
        shape = self.emit("Shape", tensor, out_type=dtype)
        if layout is None or layout.is_logical:
            return shape
        order = self.const([layout.axis(axis) for axis in range(layout.rank)], DType.INT32)
        return self.emit("GatherV2", shape, order, self.const(0, DType.INT32))

    # What comes out

    def output_shape(self, index: int = 0) -> Shape | None:
        """ONNX shape of output `index`; None when its rank is unknown."""
        return shape_of(self.node.outputs[index])

    def output_dtype(self, index: int = 0) -> DType:
        """Element type of output `index`, as the model says."""
        output = self.node.outputs[index]
        return of_onnx(output.dtype, f"{output.name!r}")

    def emit(self, op: str, *inputs: Tensor | Sequence[Tensor], **attrs: Any) -> Tensor:
        """Write a node; its first output."""
        return Tensor(self.emit_node(op, *inputs, **attrs))

    def emit_node(self, op: str, *inputs: Tensor | Sequence[Tensor], **attrs: Any) -> Node:
        """Write a node of several outputs: ``Tensor(node, 1)`` is the second."""
        node = self.graph.add(op, *inputs, name=f"{self.title}/{op}", **attrs)
        node.origin = self.label
        self.made.append(node)
        return node

    def const(self, value: ArrayLike, dtype: DType) -> Tensor:
        """A constant of TensorFlow's."""
        return self.graph.constant(np.asarray(value, dtype.numpy), f"{self.title}/Const")

    def cast(self, tensor: Tensor, dtype: DType) -> Tensor:
        """`tensor` of another type; itself when it has it."""
        return tensor if tensor.dtype == dtype else self.emit("Cast", tensor, DstT=dtype)

    @property
    def title(self) -> str:
        """What the TensorFlow nodes are named after: the first output."""
        return next((output.name for output in self.node.outputs if output.name), self.node.op_type)

    @property
    def op_type(self) -> str:
        """The operator, with its domain when that is not the default one."""
        return operator_name(self.node)

    @property
    def label(self) -> str:
        """The node as a message names it."""
        return f"node {self.node.name!r} ({self.op_type})"

    def refuse(self, reason: str) -> NoReturn:
        """Say why this node cannot go to TensorFlow.

        Raises:
            UnsupportedModel: Always; the message names the node, its operator and the shapes it sees.
        """
        shapes = ", ".join("-" if value is None else _spell(shape_of(value)) for value in self.node.inputs)
        raise UnsupportedModel(f"node {self.node.name!r} ({self.op_type}, inputs {shapes or 'none'}): {reason}")


def operator_name(node: ir.Node) -> str:
    """The operator of a node, with its domain when that is not the default one; rules go by it."""
    return f"{node.domain}::{node.op_type}" if node.domain else node.op_type


def shape_of(value: ir.Value) -> Shape | None:
    """The shape of a value, None for unknown sizes (some exporters write -1); None when its rank is unknown."""
    if value.shape is None:
        return None
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in value.shape)


def _spell(shape: Shape | None) -> str:
    return (
        "of unknown rank" if shape is None else f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
    )

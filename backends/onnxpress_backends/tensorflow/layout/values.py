"""An ONNX value on its way into a TensorFlow graph: the layouts it is there in already, and how to get another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor
from onnxpress_backends.tensorflow.layout.constants import Arrangement, Constant, Weight
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape, Split, logical, move, moves_nothing

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.quantization.simulation import Quantized


class Laid(NamedTuple):
    """A tensor and its layout; None: as ONNX has it, the rank being unknown."""

    tensor: Tensor
    layout: Layout | None


@dataclass(eq=False, kw_only=True)
class Value:
    """One ONNX value.

    Attributes:
        graph: The graph its tensors are in.
        name: Its ONNX name.
        dtype: Type of its elements.
        shape: Its ONNX shape, None for unknown sizes; None: the rank is unknown.
        forms: The tensors that hold it, by layout; the first is the one it was computed in.
        constant: Its data, when they are known.
        compute: Makes the first form when one is asked for; for what may never be needed.
        quantized: For the output of a QuantizeLinear: what was quantised, and how.
        simulate: For a constant stored as integers: writes it with its quantisation, arranged.
        arranged: The tensors that hold it as weights; operators that share a weight share the tensor.
    """

    graph: Graph
    name: str
    dtype: DType
    shape: Shape | None
    forms: dict[Layout | None, Tensor] = field(default_factory=dict)
    constant: Constant | None = None
    compute: Callable[[], Laid] | None = None
    quantized: Quantized | None = None
    simulate: Callable[[Value, Arrangement], Tensor] | None = None
    arranged: dict[Arrangement, Tensor] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """Number of axes.

        Raises:
            UnsupportedModel: It is unknown.
        """
        if self.shape is None:
            raise UnsupportedModel(f"the rank of {self.name!r} is not known, and must be; give its shape in the model")
        return len(self.shape)

    def settle(self, rank: int) -> None:
        """Take it to have `rank` axes, as an operator that reads it demands, when that is not known."""
        if self.shape is None:
            tensor = self.laid.tensor
            self.shape, self.forms = (None,) * rank, {logical(rank): tensor}

    @property
    def laid(self) -> Laid:
        """The form it was computed in; a constant lies as ONNX says."""
        if not self.forms and self.compute is not None:
            tensor, layout = self.compute()
            self.forms[layout] = tensor
        if not self.forms:
            return Laid(self.tensor(), logical(self.rank))
        layout, tensor = next(iter(self.forms.items()))
        return Laid(tensor, layout)

    @property
    def permuted(self) -> Laid:
        """The same, but never with a split axis."""
        laid = self.laid
        if laid.layout is None or laid.layout.split is None:
            return laid
        return Laid(self.tensor(), logical(self.rank))

    def tensor(self, layout: Layout | None = None) -> Tensor:
        """The value in a layout; None: as ONNX has it."""
        if self.constant is not None:
            layout = layout or logical(self.rank)
            if layout not in self.forms:
                self.forms[layout] = self.weight(_arrangement(self.constant.shape, layout))
            return self.forms[layout]
        start = self.laid
        if self.shape is None:
            return start.tensor
        layout = layout or logical(self.rank)
        if layout not in self.forms:
            if start.layout is not None and start.layout.split is not None:
                self.forms[logical(self.rank)] = self._unsplit(start.tensor, start.layout.split)
            if layout not in self.forms:
                self.forms[layout] = self._move(layout)
        return self.forms[layout]

    def weight(self, arrangement: Arrangement) -> Tensor:
        """The value arranged as an operator wants its weights; a constant is arranged on paper."""
        if arrangement not in self.arranged:
            self.arranged[arrangement] = self._written(arrangement)
        return self.arranged[arrangement]

    def _written(self, arrangement: Arrangement) -> Tensor:
        if self.constant is None:
            return self._arrange(self.tensor(), arrangement)
        if self.simulate is not None:
            return self.simulate(self, arrangement)
        return self.graph.weight(Weight(constant=self.constant, arrangement=arrangement), self.name)

    def _arrange(self, tensor: Tensor, arrangement: Arrangement) -> Tensor:
        if self.shape != arrangement.view:
            tensor = self._reshape(tensor, arrangement.view)
        if arrangement.perm != tuple(range(len(arrangement.perm))):
            tensor = self._transpose(tensor, arrangement.perm)
        if arrangement.shape != tuple(arrangement.view[axis] for axis in arrangement.perm):
            tensor = self._reshape(tensor, arrangement.shape)
        return tensor

    def _move(self, layout: Layout) -> Tensor:
        """From a form that only needs a reshape if there is one, else from the first."""
        assert self.shape is not None
        plain = [(given, tensor) for given, tensor in self.forms.items() if given is not None and given.split is None]
        for given, tensor in plain:
            if moves_nothing(move(given, layout), given.arrange(self.shape)):
                return self._reshape_ones(tensor, given.arrange(self.shape), layout.arrange(self.shape))
        given, tensor = plain[0]
        return self._transpose(tensor, move(given, layout))

    def _unsplit(self, tensor: Tensor, split: Split) -> Tensor:
        assert self.shape is not None
        before, after = self.shape[: split.axis], self.shape[split.axis + 1 :]
        moved = [split.sizes[axis] for axis in split.order]
        count, inner = len(before), len(split.order)
        back = [count + split.order.index(axis) for axis in range(inner)]
        tail = [count + inner + axis for axis in range(len(after))]
        tensor = self._reshape(tensor, (*before, *moved, *after))
        tensor = self._transpose(tensor, (*range(count), *back, *tail))
        return self._reshape(tensor, (*before, prod(split.sizes), *after))

    def _reshape(self, tensor: Tensor, shape: Shape) -> Tensor:
        if shape.count(None) > 1:
            raise UnsupportedModel(f"{self.name!r} has several unknown sizes, {shape}; fix all but one of them")
        if tensor.node.op == "Reshape":
            tensor = tensor.node.inputs[0]
        sizes = np.array([-1 if size is None else size for size in shape], np.int32)
        return Tensor(self.graph.add("Reshape", tensor, self.graph.constant(sizes), name=f"{self.name}/Reshape"))

    def _reshape_ones(self, tensor: Tensor, before: Shape, after: Shape) -> Tensor:
        """Axes of size 1 in other places; several sizes may be unknown, for none of them is spelt."""
        if after.count(None) <= 1:
            return self._reshape(tensor, after)
        gone = [axis for axis, size in enumerate(before) if size == 1]
        tensor = Tensor(self.graph.add("Squeeze", tensor, squeeze_dims=gone, name=f"{self.name}/Squeeze"))
        for axis in (axis for axis, size in enumerate(after) if size == 1):
            place = self.graph.constant(np.array(axis, np.int32))
            tensor = Tensor(self.graph.add("ExpandDims", tensor, place, name=f"{self.name}/ExpandDims"))
        return tensor

    def _transpose(self, tensor: Tensor, perm: tuple[int, ...]) -> Tensor:
        order = self.graph.constant(np.array(perm, np.int32))
        return Tensor(self.graph.add("Transpose", tensor, order, name=f"{self.name}/Transpose"))


def _arrangement(shape: tuple[int, ...], layout: Layout) -> Arrangement:
    split = layout.split
    if split is None:
        return Arrangement(view=shape, perm=layout.perm, shape=tuple(shape[axis] for axis in layout.perm))
    before, after = shape[: split.axis], shape[split.axis + 1 :]
    view = (*before, *split.sizes, *after)
    inner = [len(before) + axis for axis in split.order]
    rest = range(len(before) + len(split.order), len(view))
    return Arrangement(view=view, perm=(*range(len(before)), *inner, *rest), shape=shape)

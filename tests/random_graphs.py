"""Random graphs of operators that commute with a Transpose, and of some that do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from hypothesis import strategies as st

from onnxpress.verify import verify

Draw = Callable[[Any], Any]


class Growing:
    """A graph to which one random node after the other is added; open sizes are 2 when it runs."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        shape = draw(st.lists(st.sampled_from([1, 2, 3]), min_size=2, max_size=4))
        source = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT))
        source.shape = ir.Shape(["N" if size == 2 and axis == 0 else size for axis, size in enumerate(shape)])
        self.graph = ir.Graph([source], [], nodes=[], opset_imports={"": 17}, name="random")
        self.shapes: dict[ir.Value, list[int]] = {source: shape}

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def some(self, shape: list[int] | None = None) -> ir.Value:
        """One of the values so far, of this shape if that matters."""
        return self.draw(st.sampled_from([v for v, s in self.shapes.items() if shape is None or s == shape]))

    def constant(self, numbers: Any, dtype: str = "f4") -> ir.Value:
        tensor = ir.tensor(np.asarray(numbers, dtype), name=f"c{len(self.graph.initializers)}")
        value = ir.Value(name=tensor.name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
        self.graph.register_initializer(value)
        return value

    def weights(self, shape: list[int]) -> ir.Value:
        return self.constant(np.random.default_rng(len(self.graph)).uniform(0.5, 1.5, shape))

    def add(self, op: str, inputs: list[ir.Value], *shapes: list[int], **attributes: Any) -> None:
        node = ir.node(op, inputs, attributes, num_outputs=len(shapes), name=f"n{len(self.graph)}")
        self.graph.append(node)
        for index, (value, shape) in enumerate(zip(node.outputs, shapes, strict=True)):
            value.name = f"{node.name}_{index}"
            self.shapes[value] = shape

    def grow(self) -> None:
        getattr(self, f"_{self.draw(st.sampled_from(KINDS))}")(value := self.some(), self.shapes[value])

    def _transpose(self, value: ir.Value, shape: list[int]) -> None:
        perm = self.draw(st.permutations(range(len(shape))))
        self.add("Transpose", [value], [shape[axis] for axis in perm], perm=perm)

    def _unary(self, value: ir.Value, shape: list[int]) -> None:
        self.add(self.draw(st.sampled_from(["Relu", "Sigmoid"])), [value], shape)

    def _binary(self, value: ir.Value, shape: list[int]) -> None:
        self.add("Add", [value, self.some(shape)], shape)

    def _broadcast(self, value: ir.Value, shape: list[int]) -> None:
        missing = self.number(0, len(shape))
        operand = [size if self.number(0, 1) else 1 for size in shape[missing:]]
        others = [v for v, s in self.shapes.items() if s == operand]
        self.add("Mul", [value, others[-1] if others else self.weights(operand)], shape)

    def _concat(self, value: ir.Value, shape: list[int]) -> None:
        axis = self.number(0, len(shape) - 1) if shape else None
        if axis is not None and shape[axis] < 7:
            sizes = [size * (1 + (place == axis)) for place, size in enumerate(shape)]
            self.add("Concat", [value, self.some(shape)], sizes, axis=axis - self.number(0, 1) * len(shape))

    def _split(self, value: ir.Value, shape: list[int]) -> None:
        axes = [axis for axis, size in enumerate(shape) if size > 1 and axis]
        if axes:
            axis = self.draw(st.sampled_from(axes))
            parts = [1, shape[axis] - 1]
            sizes = [[part if place == axis else size for place, size in enumerate(shape)] for part in parts]
            self.add("Split", [value, self.constant(parts, "i8")], *sizes, axis=axis)

    def _reduce(self, value: ir.Value, shape: list[int]) -> None:
        axes = [axis for axis in range(len(shape)) if self.number(0, 1)] or [len(shape) - 1]
        if shape:
            keep = self.number(0, 1)
            sizes = [1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes]
            self.add("ReduceMax", [value], sizes, axes=axes, keepdims=keep)

    def _softmax(self, value: ir.Value, shape: list[int]) -> None:
        if shape:
            self.add("Softmax", [value], shape, axis=self.number(-len(shape), len(shape) - 1))

    def _pad(self, value: ir.Value, shape: list[int]) -> None:
        if shape and max(shape) < 5:
            pads = [self.number(0, 1) for _ in range(2 * len(shape))]
            sizes = [size + pads[axis] + pads[axis + len(shape)] for axis, size in enumerate(shape)]
            self.add("Pad", [value, self.constant(pads, "i8")], sizes)

    def _slice(self, value: ir.Value, shape: list[int]) -> None:
        if shape:
            axis = self.number(0, len(shape) - 1)
            operands = [self.constant([number], "i8") for number in (0, 1, axis)]
            self.add("Slice", [value, *operands], [1 if place == axis else s for place, s in enumerate(shape)])

    def _unsqueeze(self, value: ir.Value, shape: list[int]) -> None:
        axis = self.number(0, len(shape))
        if len(shape) < 5:
            self.add("Unsqueeze", [value, self.constant([axis], "i8")], [*shape[:axis], 1, *shape[axis:]])

    def _squeeze(self, value: ir.Value, shape: list[int]) -> None:
        ones = [axis for axis, size in enumerate(shape) if size == 1]
        if ones:
            axis = self.draw(st.sampled_from(ones))
            self.add("Squeeze", [value, self.constant([axis], "i8")], [*shape[:axis], *shape[axis + 1 :]])

    def _reshape(self, value: ir.Value, shape: list[int]) -> None:
        dense = [size for size in shape if size > 1]
        place = self.number(0, len(dense))
        sizes = [*dense[:place], 1, 1, *dense[place:]]
        self.add("Reshape", [value, self.constant(sizes, "i8")], sizes)

    def _join(self, value: ir.Value, shape: list[int]) -> None:
        if len(shape) > 1:
            axis = self.number(0, len(shape) - 2)
            sizes = [*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]]
            self._shaped(value, sizes)

    def _divide(self, value: ir.Value, shape: list[int]) -> None:
        even = [axis for axis, size in enumerate(shape) if size % 2 == 0]
        if even and len(shape) < 5:
            axis = self.draw(st.sampled_from(even))
            parts = self.draw(st.permutations([2, shape[axis] // 2]))
            self._shaped(value, [*shape[:axis], *parts, *shape[axis + 1 :]])

    def _shaped(self, value: ir.Value, sizes: list[int]) -> None:
        unsaid = self.number(0, len(sizes))
        target = [-1 if place == unsaid else size for place, size in enumerate(sizes)]
        self.add("Reshape", [value, self.constant(target, "i8")], sizes)

    def _measure(self, value: ir.Value, shape: list[int]) -> None:
        if shape:
            self.add("Shape", [value], [len(shape)])
            measured = self.graph[-1].outputs[0]
            del self.shapes[measured]
            self.add("Cast", [measured], [len(shape)], to=1)

    def _gather(self, value: ir.Value, shape: list[int]) -> None:
        if shape:
            axis = self.number(0, len(shape) - 1)
            sizes = [2 if place == axis else size for place, size in enumerate(shape)]
            self.add("Gather", [value, self.constant([-1, 0], "i8")], sizes, axis=axis)

    def _layer_norm(self, value: ir.Value, shape: list[int]) -> None:
        if shape:
            self.add("LayerNormalization", [value, self.weights(shape[-1:])], shape, axis=-1)

    def _fixed(self, value: ir.Value, shape: list[int]) -> None:
        if len(shape) > 1:
            self.add("MatMul", [value, self.weights([shape[-1], 3])], [*shape[:-1], 3])


KINDS = [name[1:] for name in vars(Growing) if name.startswith("_") and not name.startswith("__")] + ["transpose"] * 4


@st.composite
def random_graphs(draw: Draw) -> ir.Model:
    """A verified model; its outputs are all values that nothing uses, and one other."""
    growing = Growing(draw)
    for _ in range(draw(st.integers(1, 14))):
        growing.grow()
    made = list(growing.shapes)[1:]
    if not made:
        growing.add("Relu", [growing.some()], growing.shapes[growing.some()])
        made = list(growing.shapes)[1:]
    ends = [value for value in made if not value.uses()]
    growing.graph.outputs.extend(dict.fromkeys([*ends, draw(st.sampled_from(made))]))
    for value in growing.graph.outputs:
        value.type = ir.TensorType(ir.DataType.FLOAT)
    model = ir.Model(growing.graph, ir_version=10)
    verify(model)
    return model

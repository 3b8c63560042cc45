"""Random graphs of images and sequences: every operator that has a say in how a tensor lies in memory, mixed."""

from __future__ import annotations

from math import prod
from random import Random
from typing import Any

import numpy as np
import onnx_ir as ir

Shape = list[int]
FLOAT = ir.TensorType(ir.DataType.FLOAT)
LARGEST = 3000
"""Elements; what would be larger is not put in."""


class Growing:
    """A graph to which one random node after the other is added.

    Attributes:
        random: What decides.
        shapes: The values that nodes may read, all float, with their sizes when the model runs.
    """

    def __init__(self, random: Random, *, opset: int) -> None:
        self.random, self.opset = random, opset
        self.graph = ir.Graph([], [], nodes=[], opset_imports={"": opset}, name="random")
        self.shapes: dict[ir.Value, Shape] = {}
        self.feeds: dict[str, Any] = {}
        self._count = 0

    def name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def maybe(self) -> bool:
        return self.random.random() < 0.5

    def pick(self, *items: Any) -> Any:
        return self.random.choice(items)

    def some(self, shape: Shape | None = None) -> ir.Value:
        """One of the values so far, of this shape if that matters; late ones more often."""
        values = [value for value, sizes in self.shapes.items() if shape is None or sizes == shape]
        return values[-1 - min(int(self.random.expovariate(0.4)), len(values) - 1)]

    def feed(self, shape: Shape) -> None:
        """An input; sizes but that of axis 1 may be open."""
        value = ir.Value(name=self.name("x"), type=FLOAT)
        open_sizes = self.pick((), (), (0,), (0,), (0, 2, 3), range(len(shape)))
        value.shape = ir.Shape(
            [f"{value.name}_{axis}" if axis in open_sizes and axis != 1 else size for axis, size in enumerate(shape)]
        )
        self.graph.inputs.append(value)
        self.shapes[value] = shape
        self.feeds[value.name or ""] = self.numbers(shape)

    def numbers(self, shape: Shape) -> Any:
        return np.random.default_rng(self.number(0, 2**32)).standard_normal(shape).astype(np.float32)

    def constant(self, numbers: Any, dtype: str = "f4") -> ir.Value:
        tensor = ir.tensor(np.asarray(numbers, dtype), name=self.name("c"))
        value = ir.Value(name=tensor.name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
        self.graph.register_initializer(value)
        return value

    def integers(self, *numbers: int) -> ir.Value:
        return self.constant(numbers, "i8")

    def weights(self, *shape: int, scale: float = 1) -> ir.Value:
        """A constant; often one that other nodes read as well."""
        same = [value for value in self.graph.initializers.values() if value.dtype == 1 and value.shape == list(shape)]
        return self.pick(*same) if same and self.maybe() else self.constant(self.numbers(list(shape)) * scale)

    def node(self, op: str, inputs: list[ir.Value | None], outputs: int = 1, **attributes: Any) -> list[ir.Value]:
        node = ir.node(op, inputs, attributes, num_outputs=outputs, name=self.name("n"))
        for value in node.outputs:
            value.name = self.name("v")
        self.graph.append(node)
        return list(node.outputs)

    def add(self, op: str, inputs: list[ir.Value | None], *shapes: Shape, **attributes: Any) -> None:
        """A node whose outputs others may read."""
        if max(map(prod, shapes)) <= LARGEST and min(map(prod, shapes)) and max(map(len, shapes)) <= 6:
            values = self.node(op, inputs, len(shapes), **attributes)
            self.shapes.update(zip(values, shapes, strict=True))

    def grow(self, kinds: list[Any]) -> None:
        value = self.some()
        self.random.choice(kinds)(self, value, self.shapes[value])

    def end(self) -> ir.Model:
        """The model; its outputs are all values that nothing uses, and one or two others."""
        ends = [value for value in self.shapes if not value.uses() and value.producer() is not None]
        self.graph.outputs.extend(dict.fromkeys([*ends, *(self.some() for _ in range(2))]))
        for value in self.graph.outputs:
            value.type = FLOAT
            value.shape = value.shape or ir.Shape([f"{value.name}_{axis}" for axis in range(len(self.shapes[value]))])
        return ir.Model(self.graph, ir_version=10)


def replaced(shape: Shape, sizes: dict[int, int]) -> Shape:
    return [sizes.get(axis, size) for axis, size in enumerate(shape)]


def broadcast(one: Shape, other: Shape) -> Shape | None:
    try:
        return list(np.broadcast_shapes(tuple(one), tuple(other)))
    except ValueError:
        return None


def divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def spacious(least: int = 3, most: int = 5) -> Any:
    """A kind for images, of these ranks; others are left alone."""

    def only(kind: Any) -> Any:
        return lambda g, value, shape: kind(g, value, shape) if least <= len(shape) <= most else None

    return only


@spacious()
def convolution(g: Growing, value: ir.Value, shape: Shape) -> None:
    channels, space = shape[1], shape[2:]
    groups = g.pick(1, 1, channels, *divisors(channels))
    out = groups * g.number(1, 2 if groups > 1 else 6)
    kernel = [g.number(1, min(3, size)) for size in space]
    strides = [g.number(1, 2) for _ in space]
    pads = [g.number(0, 1) for _ in range(2 * len(space))]
    ends = [(size + pads[i] + pads[i + len(space)] - kernel[i]) // strides[i] + 1 for i, size in enumerate(space)]
    scale = 1 / np.sqrt(channels // groups * prod(kernel))
    weights = [g.weights(out, channels // groups, *kernel, scale=scale)] + [g.weights(out)] * g.maybe()
    g.add("Conv", [value, *weights], [shape[0], out, *ends], group=groups, strides=strides, pads=pads)


@spacious(4, 4)
def transposed_convolution(g: Growing, value: ir.Value, shape: Shape) -> None:
    out, stride = g.number(1, 4), g.number(1, 2)
    weights = g.weights(shape[1], out, 2, 2, scale=0.5)
    sizes = [(size - 1) * stride + 2 for size in shape[2:]]
    g.add("ConvTranspose", [value, weights], [shape[0], out, *sizes], strides=[stride, stride])


@spacious()
def pool(g: Growing, value: ir.Value, shape: Shape) -> None:
    space = shape[2:]
    kernel = [g.number(1, min(3, size)) for size in space]
    strides, pads = [g.number(1, 2) for _ in space], [min(g.number(0, 1), size - 1) for size in [*kernel, *kernel]]
    sizes = [(size + pads[i] + pads[i + len(space)] - kernel[i]) // strides[i] + 1 for i, size in enumerate(space)]
    op = g.pick("MaxPool", "AveragePool")
    more = {"count_include_pad": g.number(0, 1)} if op == "AveragePool" else {}
    g.add(op, [value], [*shape[:2], *sizes], kernel_shape=kernel, strides=strides, pads=pads, **more)


@spacious()
def global_pool(g: Growing, value: ir.Value, shape: Shape) -> None:
    g.add(g.pick("GlobalAveragePool", "GlobalMaxPool"), [value], [*shape[:2], *[1 for _ in shape[2:]]])


@spacious(2)
def normalization(g: Growing, value: ir.Value, shape: Shape) -> None:
    channels = shape[1]
    rows = [g.weights(channels), g.weights(channels)]
    moments = [g.weights(channels), g.constant(np.abs(g.numbers([channels])) + 0.5)]
    if len(shape) > 2 and prod(shape[2:]) > 3 and g.maybe():
        g.add("InstanceNormalization", [value, *rows], shape, epsilon=0.01)
    else:
        g.add("BatchNormalization", [value, *rows, *moments], shape)


@spacious(4, 4)
def resize(g: Growing, value: ir.Value, shape: Shape) -> None:
    factors = [g.number(1, 2), g.number(1, 2)]
    sizes = [*shape[:2], *(size * factor for size, factor in zip(shape[2:], factors, strict=True))]
    mode = g.pick("nearest", "linear")
    where = "asymmetric" if mode == "nearest" else g.pick("half_pixel", "align_corners", "asymmetric")
    to = [None, g.constant([1, 1, *factors])] if g.maybe() else [None, None, g.integers(*sizes)]
    g.add("Resize", [value, *to], sizes, mode=mode, coordinate_transformation_mode=where, nearest_mode="floor")


def pad(g: Growing, value: ir.Value, shape: Shape) -> None:
    pads = [g.number(0, 1) for _ in range(2 * len(shape))]
    mode = g.pick("constant", "edge", "reflect") if shape and min(shape) > 1 else "constant"
    sizes = [size + pads[axis] + pads[axis + len(shape)] for axis, size in enumerate(shape)]
    if shape:
        g.add("Pad", [value, g.integers(*pads)], sizes, mode=mode)


@spacious(4, 4)
def blocks(g: Growing, value: ir.Value, shape: Shape) -> None:
    n, c, h, w = shape
    if c % 4 == 0:
        g.add("DepthToSpace", [value], [n, c // 4, 2 * h, 2 * w], blocksize=2, mode=g.pick("DCR", "CRD"))
    elif h % 2 == w % 2 == 0:
        g.add("SpaceToDepth", [value], [n, 4 * c, h // 2, w // 2], blocksize=2)


def transpose(g: Growing, value: ir.Value, shape: Shape) -> None:
    perm = g.random.sample(range(len(shape)), len(shape))
    if len(shape) == 4 and g.maybe():
        perm = g.pick([0, 2, 3, 1], [0, 3, 1, 2])
    g.add("Transpose", [value], [shape[axis] for axis in perm], perm=perm)


def reshaped(g: Growing, value: ir.Value, shape: Shape, sizes: Shape) -> None:
    """One size may be left to be worked out, sizes that stay may be said to stay."""
    unsaid = g.number(0, len(sizes))
    stays = [g.maybe() and axis < len(shape) and shape[axis] == size for axis, size in enumerate(sizes)]
    target = [-1 if axis == unsaid else 0 if stays[axis] else size for axis, size in enumerate(sizes)]
    g.add("Reshape", [value, g.integers(*target)], sizes)


def join(g: Growing, value: ir.Value, shape: Shape) -> None:
    if len(shape) > 1:
        start = g.number(0, len(shape) - 2)
        end = g.number(start + 2, len(shape))
        reshaped(g, value, shape, [*shape[:start], prod(shape[start:end]), *shape[end:]])


def divide(g: Growing, value: ir.Value, shape: Shape) -> None:
    axis = g.number(0, len(shape) - 1) if shape else None
    if axis is not None and len(shape) < 6:
        part = g.pick(*divisors(shape[axis]))
        reshaped(g, value, shape, [*shape[:axis], part, shape[axis] // part, *shape[axis + 1 :]])


def regroup(g: Growing, value: ir.Value, shape: Shape) -> None:
    """Any shape of as many elements."""
    left, sizes = prod(shape), []
    for _ in range(g.number(0, 3)):
        sizes.append(g.pick(*divisors(left)))
        left //= sizes[-1]
    reshaped(g, value, shape, [*sizes, left])


def shuffle(g: Growing, value: ir.Value, shape: Shape) -> None:
    """Channels dealt to groups, as ShuffleNet has it."""
    if len(shape) == 4 and shape[1] > 1:
        groups = g.pick(*divisors(shape[1]))
        apart = [shape[0], groups, shape[1] // groups, *shape[2:]]
        (middle,) = g.node("Reshape", [value, g.integers(*apart)])
        (dealt,) = g.node("Transpose", [middle], perm=[0, 2, 1, 3, 4])
        g.add("Reshape", [dealt, g.integers(*shape)], shape)


def flatten(g: Growing, value: ir.Value, shape: Shape) -> None:
    axis = g.number(0, len(shape))
    g.add("Flatten", [value], [prod(shape[:axis]), prod(shape[axis:])], axis=axis)


def by_sizes(g: Growing, value: ir.Value, shape: Shape) -> None:
    """``x.view(x.size(0), -1)``"""
    if shape:
        (sizes,) = g.node("Shape", [value])
        (rows,) = g.node("Gather", [sizes, g.integers(0)])
        (target,) = g.node("Concat", [rows, g.integers(-1)], axis=0)
        g.add("Reshape", [value, target], [shape[0], prod(shape[1:])])

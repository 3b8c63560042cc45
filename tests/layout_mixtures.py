"""Random graphs, continued: operators along an axis, between tensors, and the mixtures of all."""

from __future__ import annotations

from math import prod
from random import Random
from typing import Any

import numpy as np
import onnx_ir as ir

import layout_graphs as images
from layout_graphs import FLOAT, Growing, Shape, broadcast, replaced


def unary(g: Growing, value: ir.Value, shape: Shape) -> None:
    op = g.pick("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "HardSwish", "Softplus", "Erf", "Identity")
    g.add(op, [value], shape)


def binary(g: Growing, value: ir.Value, shape: Shape) -> None:
    """With any value that broadcasts."""
    others = [(other, both) for other, sizes in g.shapes.items() if (both := broadcast(shape, sizes)) is not None]
    other, both = g.pick(*others)
    op = g.pick("Add", "Mul", "Sub", "Max", "Min", "Add")
    g.add(op, [value, other] if g.maybe() else [other, value], both)


def with_constant(g: Growing, value: ir.Value, shape: Shape) -> None:
    sizes = [size if g.maybe() else 1 for size in shape[g.number(0, len(shape)) :]]
    if g.number(0, 9) == 0:
        sizes = [1] * (len(shape) - len(sizes)) + sizes
    op = g.pick("Add", "Mul", "Sub", "PRelu") if len(sizes) != 1 else g.pick("Add", "Mul", "Sub")
    operands = [value, g.weights(*sizes)]
    g.add(op, operands if op == "PRelu" or g.maybe() else operands[::-1], shape)


def gate(g: Growing, value: ir.Value, shape: Shape) -> None:
    """Multiplied by something computed from it, of fewer axes or smaller ones."""
    axes = sorted(g.random.sample(range(len(shape)), g.number(0, len(shape))))
    gone = g.number(0, len(shape))
    if axes:
        (mean,) = g.node("ReduceMax", [value, g.integers(*axes)], keepdims=1)
        sizes = replaced(shape, dict.fromkeys(axes, 1))
        while gone and not all(axis in axes for axis in range(gone)):
            gone -= 1
        if gone:
            (mean,) = g.node("Squeeze", [mean, g.integers(*range(gone))])
        g.shapes[mean] = sizes[gone:]
        g.add(g.pick("Mul", "Sub"), [value, mean], shape)


def where(g: Growing, value: ir.Value, shape: Shape) -> None:
    others = [other for other, sizes in g.shapes.items() if broadcast(shape, sizes) == shape]
    (larger,) = g.node("Greater", [g.pick(*others), g.weights(*shape[1:], scale=0.5)])
    g.add("Where", [larger, value, g.pick(*others)], shape)


def clip(g: Growing, value: ir.Value, shape: Shape) -> None:
    g.add("Clip", [value, g.constant(-1.5), g.pick(None, g.constant(2.0))], shape)


def concat(g: Growing, value: ir.Value, shape: Shape) -> None:
    if shape:
        axis = g.number(0, len(shape) - 1)
        like = replaced(shape, {axis: -1})
        fits = [v for v, s in g.shapes.items() if len(s) == len(shape) and replaced(s, {axis: -1}) == like]
        parts = [value, *(g.pick(*fits) for _ in range(g.number(1, 2)))]
        sizes = [g.shapes[part][axis] for part in parts]
        if g.number(0, 3) == 0:
            parts, sizes = [*parts, g.weights(*shape)], [*sizes, shape[axis]]
        g.add("Concat", parts, replaced(shape, {axis: sum(sizes)}), axis=axis - len(shape) * g.maybe())


def joined(g: Growing, value: ir.Value, shape: Shape) -> None:
    """Channels side by side."""
    g.add("Concat", [value, g.some(shape)], replaced(shape, {1: 2 * shape[1]}), axis=1)


def same(g: Growing, value: ir.Value, shape: Shape) -> None:
    """A residual sum."""
    g.add("Add", [value, g.some(shape)], shape)


def split(g: Growing, value: ir.Value, shape: Shape) -> None:
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    if axes:
        axis = g.pick(*axes)
        first = g.number(1, shape[axis] - 1)
        parts = [first, shape[axis] - first]
        sizes = [replaced(shape, {axis: part}) for part in parts]
        g.add("Split", [value, g.integers(*parts)], *sizes, axis=axis - len(shape) * g.maybe())


def slices(g: Growing, value: ir.Value, shape: Shape) -> None:
    axes = g.random.sample(range(len(shape)), g.number(1, len(shape))) if shape else []
    starts, ends, steps, sizes = [], [], [], list(shape)
    for axis in axes:
        start, step = g.number(0, shape[axis] - 1), g.pick(1, 1, 2, -1)
        starts.append(start - shape[axis] * g.maybe())
        ends.append(2**31 if step > 0 else -(2**31))
        steps.append(step)
        sizes[axis] = len(range(start, shape[axis], step)) if step > 0 else start + 1
    if axes:
        g.add("Slice", [value, *(g.integers(*part) for part in (starts, ends, axes, steps))], sizes)


def gather(g: Growing, value: ir.Value, shape: Shape) -> None:
    if shape:
        axis = g.number(0, len(shape) - 1)
        many = g.pick([], [2], [1], [2, 2])
        indices = np.random.default_rng(g.number(0, 99)).integers(-shape[axis], shape[axis], many)
        g.add("Gather", [value, g.constant(indices, "i8")], [*shape[:axis], *many, *shape[axis + 1 :]], axis=axis)


def reduce(g: Growing, value: ir.Value, shape: Shape) -> None:
    axes = sorted(g.random.sample(range(len(shape)), g.number(1, len(shape)))) if shape else []
    op, keep = g.pick("ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2", "ReduceMin"), g.number(0, 1)
    sizes = [1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes]
    if axes:
        signed = [axis - len(shape) * g.maybe() for axis in axes]
        g.add(op, [value, g.integers(*signed)], sizes, keepdims=keep)


def softmax(g: Growing, value: ir.Value, shape: Shape) -> None:
    if shape:
        g.add(g.pick("Softmax", "Softmax", "LogSoftmax"), [value], shape, axis=g.number(-len(shape), len(shape) - 1))


def layer_norm(g: Growing, value: ir.Value, shape: Shape) -> None:
    if shape and shape[-1] > 2:
        axis = g.pick(-1, -1, g.number(0, len(shape) - 1))
        weights = [g.weights(*shape[axis % len(shape) :]) for _ in range(g.number(1, 2))]
        g.add("LayerNormalization", [value, *weights], shape, axis=axis, epsilon=0.01)


def product(g: Growing, value: ir.Value, shape: Shape) -> None:
    if len(shape) > 1:
        out = g.number(1, 5)
        if g.maybe():
            matrix = g.weights(shape[-1], out, scale=shape[-1] ** -0.5)
            g.add("MatMul", [value, matrix], [*shape[:-1], out])
        else:
            matrix = g.weights(out, shape[-2], scale=shape[-2] ** -0.5)
            g.add("MatMul", [matrix, value], [*shape[:-2], out, shape[-1]])


def attention(g: Growing, value: ir.Value, shape: Shape) -> None:
    """The value against another of its shape."""
    if len(shape) > 1:
        swapped = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        (turned,) = g.node("Transpose", [g.some(shape)], perm=swapped)
        (small,) = g.node("Mul", [turned, g.constant(1 / shape[-1])])
        g.add("MatMul", [value, small], [*shape[:-1], shape[-2]])


def gemm(g: Growing, value: ir.Value, shape: Shape) -> None:
    if len(shape) == 2:
        turned, out = g.number(0, 1), g.number(1, 5)
        inner, rows = (shape[0], shape[1]) if turned else (shape[1], shape[0])
        weights = g.weights(out, inner, scale=inner**-0.5)
        operands = [value, weights] + [g.weights(*g.pick([out], [1, out], [rows, 1]))] * g.maybe()
        g.add("Gemm", operands, [rows, out], transA=turned, transB=1, alpha=g.pick(1.0, 0.5))


def dense(g: Growing, value: ir.Value, shape: Shape) -> None:
    """Flattened, and a layer on it."""
    if len(shape) > 2:
        (flat,) = g.node("Flatten", [value], axis=1)
        g.shapes[flat] = [shape[0], prod(shape[1:])]
        g.pick(gemm, product, with_constant)(g, flat, g.shapes[flat])


def best(g: Growing, value: ir.Value, shape: Shape) -> None:
    if not shape:
        return
    axis = g.number(0, len(shape) - 1)
    if g.maybe():
        keep = g.number(0, 1)
        (index,) = g.node(g.pick("ArgMax", "ArgMin"), [value], axis=axis, keepdims=keep)
        sizes = [1 if place == axis else size for place, size in enumerate(shape) if keep or place != axis]
        g.add("Cast", [index], sizes, to=1)
    else:
        count = g.number(1, shape[axis])
        largest = g.node("TopK", [value, g.integers(count)], 2, axis=axis)
        g.shapes[largest[0]] = replaced(shape, {axis: count})
        g.add("Cast", [largest[1]], replaced(shape, {axis: count}), to=1)


def cumulate(g: Growing, value: ir.Value, shape: Shape) -> None:
    if shape:
        axis = g.constant(g.number(-len(shape), len(shape) - 1), "i8")
        g.add("CumSum", [value, axis], shape, exclusive=g.number(0, 1), reverse=g.number(0, 1))


def expand(g: Growing, value: ir.Value, shape: Shape) -> None:
    more = [g.pick(1, 2) if size == 1 else g.pick(1, size) for size in shape]
    target = [g.number(1, 2)] * (g.maybe() and len(shape) < 5) + more
    if target:
        sizes = broadcast(shape, target)
        assert sizes is not None
        g.add("Expand", [value, g.integers(*target)], sizes)


def tile(g: Growing, value: ir.Value, shape: Shape) -> None:
    times = [g.number(1, 2) for _ in shape]
    if shape:
        g.add("Tile", [value, g.integers(*times)], [size * n for size, n in zip(shape, times, strict=True)])


def squeeze(g: Growing, value: ir.Value, shape: Shape) -> None:
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    if ones:
        gone = g.random.sample(ones, g.number(1, len(ones)))
        sizes = [size for axis, size in enumerate(shape) if axis not in gone]
        g.add("Squeeze", [value, g.integers(*(axis - len(shape) * g.maybe() for axis in gone))], sizes)


def unsqueeze(g: Growing, value: ir.Value, shape: Shape) -> None:
    if len(shape) < 5:
        axes = g.random.sample(range(len(shape) + 2), 2) if g.maybe() else [g.number(0, len(shape))]
        rank = len(shape) + len(axes)
        left = iter(shape)
        sizes = [1 if axis in axes else next(left) for axis in range(rank)]
        g.add("Unsqueeze", [value, g.integers(*axes)], sizes)


def quantize(g: Growing, value: ir.Value, shape: Shape) -> None:
    axis = g.number(0, len(shape) - 1) if shape and g.maybe() else None
    many = [] if axis is None else [shape[axis]]
    dtype = g.pick("i1", "u1")
    zero = np.full(many, 0 if dtype == "i1" else 128)
    grid: list[ir.Value | None] = [g.constant(np.full(many, 1 / 16) * g.pick(1, 2)), g.constant(zero, dtype)]
    along = {} if axis is None else {"axis": axis}
    (stored,) = g.node("QuantizeLinear", [value, *grid], **along)
    g.add("DequantizeLinear", [stored, *grid], shape, **along)


def branches(g: Growing, value: ir.Value, shape: Shape) -> None:
    """An If whose branches read what is outside."""
    (total,) = g.node("ReduceSum", [value], keepdims=0)
    (condition,) = g.node("Greater", [total, g.constant(0.0)])
    then, other = branch(g, value, shape), branch(g, value, shape)
    g.add("If", [condition], shape, then_branch=then, else_branch=other)


def branch(g: Growing, value: ir.Value, shape: Shape) -> ir.Graph:
    outside, known = g.graph, dict(g.shapes)
    g.graph = ir.Graph([], [], nodes=[], name=g.name("g"))
    for _ in range(g.number(0, 3)):
        g.grow([kind for kind in KINDS if kind is not branches])
    (result,) = g.node("Identity", [g.some(shape)])
    result.type = FLOAT
    result.shape = ir.Shape([None] * len(shape))
    g.graph.outputs.append(result)
    made, g.graph, g.shapes = g.graph, outside, known
    return made


IMAGES = [
    *[images.convolution] * 4,
    images.transposed_convolution,
    *[images.pool] * 2,
    images.global_pool,
    images.normalization,
    images.resize,
    images.blocks,
    images.shuffle,
]
ARRANGING = [
    *[images.transpose] * 3,
    images.join,
    images.divide,
    images.regroup,
    images.flatten,
    images.by_sizes,
    squeeze,
    unsqueeze,
]
MIXING = [unary, *[binary] * 3, *[with_constant] * 2, *[gate] * 2, where, clip, *[concat] * 2]
AXES = [split, slices, gather, reduce, softmax, layer_norm, best, cumulate, expand, tile, images.pad]
PRODUCTS = [product, attention, gemm, *[dense] * 2]
KINDS: list[Any] = IMAGES + ARRANGING + MIXING + AXES + PRODUCTS + [branches]


def calm() -> list[Any]:
    """What never asks for ONNX's order of the axes: convolutions, pools, what works on each element, and joining."""
    return [images.convolution, images.pool, unary, clip, joined, same, images.normalization]


def layout_graph(seed: int, *, quantized: bool = False, nodes: int = 16) -> tuple[ir.Model, dict[str, Any]]:
    """A model and what it is fed."""
    g = Growing(Random(seed), opset=18)
    shape = g.pick([2, 4, 6, 6], [1, 3, 5, 4], [2, 8, 4, 4], [2, 5, 6], [3, 4, 1], [1, 2, 3, 4, 4], [1, 8, 1, 1])
    g.feed(shape)
    if g.number(0, 3) == 0:
        g.feed(g.pick(shape, [shape[0], *[1] * (len(shape) - 1)], shape[1:], [shape[-1]]))
    if len(shape) > 2:
        images.convolution(g, *next(iter(g.shapes.items())))
    for _ in range(g.number(nodes // 2, nodes)):
        g.grow(KINDS + [quantize] * 6 * quantized)
    return g.end(), g.feeds

"""Seeded changes to the graph of a protobuf: what a broken tool writes, rather than what a broken disk leaves."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

Mutation = Callable[[onnx.GraphProto, random.Random], None]


def rewired(graph: onnx.GraphProto, rng: random.Random) -> None:
    node = rng.choice([node for node in graph.node if node.input])
    node.input[rng.randrange(len(node.input))] = rng.choice(_names(graph))


def lengthened(graph: onnx.GraphProto, rng: random.Random) -> None:
    rng.choice(graph.node).input.append(rng.choice(_names(graph)))


def shortened(graph: onnx.GraphProto, rng: random.Random) -> None:
    rng.choice([node for node in graph.node if node.input]).input.pop()


def renamed(graph: onnx.GraphProto, rng: random.Random) -> None:
    rng.choice(graph.node).output[0] = rng.choice(_names(graph))


def retyped(graph: onnx.GraphProto, rng: random.Random) -> None:
    rng.choice(graph.node).op_type = rng.choice(sorted({node.op_type for node in graph.node}))


def without_a_node(graph: onnx.GraphProto, rng: random.Random) -> None:
    graph.node.remove(rng.choice(graph.node))


def without_an_attribute(graph: onnx.GraphProto, rng: random.Random) -> None:
    node = rng.choice([node for node in graph.node if node.attribute])
    node.attribute.remove(rng.choice(node.attribute))


def other_attribute(graph: onnx.GraphProto, rng: random.Random) -> None:
    attribute = rng.choice(rng.choice([node for node in graph.node if node.attribute]).attribute)
    attribute.f = rng.choice([np.nan, np.inf, 0.0, -1.0, 1e-45, 3e38, 0.5])
    attribute.i = rng.choice([-1, 0, 1, 2, 2**40])
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice([-5, 0, 99])


def other_type_of_constant(graph: onnx.GraphProto, rng: random.Random) -> None:
    rng.choice(graph.initializer).data_type = rng.choice([1, 3, 6, 7, 8, 10, 13])


def other_shape_of_constant(graph: onnx.GraphProto, rng: random.Random) -> None:
    tensor = rng.choice([tensor for tensor in graph.initializer if tensor.dims])
    tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice([0, 1, 2, 7, 64])


def other_number(graph: onnx.GraphProto, rng: random.Random) -> None:
    tensor = rng.choice([tensor for tensor in graph.initializer if numpy_helper.to_array(tensor).size])
    numbers = numpy_helper.to_array(tensor).copy()
    choices = [np.nan, np.inf, 0.5, 1e9] if numbers.dtype.kind == "f" else [0, 1, 127]
    numbers.reshape(-1)[rng.randrange(numbers.size)] = rng.choice(choices)
    tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))


def another_output(graph: onnx.GraphProto, rng: random.Random) -> None:
    graph.output.add(name=rng.choice(_names(graph))).type.tensor_type.elem_type = 1


MUTATIONS: tuple[Mutation, ...] = (
    rewired,
    lengthened,
    shortened,
    renamed,
    retyped,
    without_a_node,
    without_an_attribute,
    other_attribute,
    other_type_of_constant,
    other_shape_of_constant,
    other_number,
    another_output,
)


def mutated(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy of `model` with one mutation; the seed chooses which, and where."""
    changed, rng = onnx.ModelProto(), random.Random(seed)
    changed.CopyFrom(model)
    MUTATIONS[seed % len(MUTATIONS)](changed.graph, rng)
    return changed


def _names(graph: onnx.GraphProto) -> list[str]:
    constants = [item.name for item in (*graph.initializer, *graph.input)]
    return [*constants, *(output for node in graph.node for output in node.output)]

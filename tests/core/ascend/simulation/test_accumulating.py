"""Accumulators and what AscendDequant makes of them are those of int64 arithmetic, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ascend_arithmetic as reference
from deploy_layers import one_layer
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.errors import UnsupportedModel

LARGEST = 2**31 - 1

offsets = st.integers(-128, 127)
seeds = st.integers(0, 2**32 - 1)


def drawn(draw: st.DrawFn, *shape: int) -> NDArray[np.int8]:
    """Weights: of any size, or all as large as they get."""
    generator = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["any", "any", "largest", "smallest"]))
    if kind == "any":
        return generator.integers(-128, 128, shape, dtype=np.int8)
    return np.full(shape, 127 if kind == "largest" else -128, np.int8)


def biases(draw: st.DrawFn, channels: int, limit: int = LARGEST) -> NDArray[np.int64] | None:
    """None, or numbers of which some are as large as the sums leave room for."""
    if not draw(st.booleans()):
        return None
    return np.array(draw(st.lists(st.integers(-limit, limit), min_size=channels, max_size=channels)), np.int64)


def scales(draw: st.DrawFn, channels: int) -> NDArray[np.float32]:
    number = draw(st.sampled_from([1, channels]))
    return np.random.default_rng(draw(seeds)).uniform(1e-5, 1e-1, number).astype(np.float32)


def inputs(draw: st.DrawFn, *shape: int) -> NDArray[np.float32]:
    """Beyond the range of int8, with ties."""
    return (np.random.default_rng(draw(seeds)).integers(-600, 600, shape) / np.float32(4)).astype(np.float32)


def check(model: Any, x: NDArray[np.float32], sums: NDArray[np.int64], factors: NDArray[np.float32]) -> None:
    last = "a" if any(node.op_type == "Add" for node in model.graph) else "c"
    simulator = Simulator(model, threads=1, probes=[last])
    results = simulator.run({"x": x})
    expected = reference.wrapped(sums)
    assert results[last].dtype == np.int32
    np.testing.assert_array_equal(results[last], expected)
    np.testing.assert_array_equal(results["y"], reference.dequantised(expected, factors))
    assert sum(simulator.overflows.values()) == np.count_nonzero(expected != sums)


@st.composite
def planes(draw: st.DrawFn) -> dict[str, Any]:
    """A window of one to three axes, groups, sizes that fit."""
    space = draw(st.integers(1, 3))
    several = lambda low, high: draw(st.lists(st.integers(low, high), min_size=space, max_size=space))  # noqa: E731
    kernel, strides, dilations = several(1, 4), several(1, 3), several(1, 2)
    sizes = [(k - 1) * d + 1 + more for k, d, more in zip(kernel, dilations, several(0, 3), strict=True)]
    return {
        "kernel": kernel,
        "sizes": sizes,
        "strides": strides,
        "dilations": dilations,
        "pads": [draw(st.integers(0, size - 1)) for size in kernel * 2],
        "group": draw(st.integers(1, 3)),
        "inputs": draw(st.integers(1, 4)),
        "outputs": draw(st.integers(1, 3)),
    }


@given(st.data(), planes(), offsets)
def test_convolutions(data: st.DataObject, plane: dict[str, Any], offset: int):
    draw, group = data.draw, plane["group"]
    channels = group * plane["outputs"]
    weight = drawn(draw, channels, plane["inputs"], *plane["kernel"])
    bias, step = biases(draw, channels), scales(draw, channels)
    x = inputs(draw, 2, group * plane["inputs"], *plane["sizes"])
    window = {name: plane[name] for name in ("strides", "dilations", "pads", "group")}
    model = one_layer("Conv", x.shape, weight=weight, bias=bias, deq_scale=step, offset=offset, **window)
    sums = reference.convolved(reference.quantised(x, 1.0, offset) - offset, weight.astype(np.int64), **window)
    broadcast = (-1, *[1] * len(plane["kernel"]))
    check(model, x, sums if bias is None else sums + bias.reshape(broadcast), step.reshape(broadcast))


@given(st.data(), planes(), offsets)
def test_transposed_convolutions(data: st.DataObject, plane: dict[str, Any], offset: int):
    draw, group, kernel = data.draw, plane["group"], plane["kernel"][:2]
    space = len(kernel)
    weight = drawn(draw, group * plane["inputs"], plane["outputs"], *kernel)
    channels = group * plane["outputs"]
    bias, step = biases(draw, channels), scales(draw, channels)
    strides = plane["strides"][:2]
    x = inputs(draw, 1, group * plane["inputs"], *plane["sizes"][:2])
    window = {
        "strides": strides,
        "pads": [draw(st.integers(0, (size - 1) // 2)) for size in kernel * 2],
        "output_padding": [draw(st.integers(0, stride - 1)) for stride in strides],
        "group": group,
    }
    model = one_layer("ConvTranspose", x.shape, weight=weight, bias=bias, deq_scale=step, offset=offset, **window)
    integers = reference.quantised(x, 1.0, offset) - offset
    sums = reference.convolved_transposed(integers, weight.astype(np.int64), **window)
    broadcast = (-1, *[1] * space)
    check(model, x, sums if bias is None else sums + bias.reshape(broadcast), step.reshape(broadcast))


@given(st.data(), offsets, st.sampled_from([1, 3, 515, 600, 3000]), st.booleans())
def test_matrices_with_a_bias_inside(data: st.DataObject, offset: int, depth: int, transposed: bool):
    draw = data.draw
    weight = drawn(draw, 4, depth) if transposed else drawn(draw, depth, 4)
    bias, step, x = biases(draw, 4), scales(draw, 4), inputs(draw, 3, depth)
    model = one_layer("Gemm", x.shape, weight=weight, bias=bias, deq_scale=step, offset=offset, transB=int(transposed))
    matrix = (weight.T if transposed else weight).astype(np.int64)
    sums = (reference.quantised(x, 1.0, offset) - offset) @ matrix
    check(model, x, sums if bias is None else sums + bias, step)


@given(st.data(), offsets, st.sampled_from([(3, 7), (2, 3, 520), (2, 2, 2, 900)]), st.booleans())
def test_matrices_with_a_bias_behind(data: st.DataObject, offset: int, shape: tuple[int, ...], stacked: bool):
    draw = data.draw
    weight = drawn(draw, 2, shape[-1], 5) if stacked else drawn(draw, shape[-1], 5)
    bias, step, x = biases(draw, 5), scales(draw, 5), inputs(draw, *shape)
    model = one_layer("MatMul", shape, weight=weight, bias=bias, deq_scale=step, offset=offset)
    sums = (reference.quantised(x, 1.0, offset) - offset) @ weight.astype(np.int64)
    check(model, x, sums if bias is None else sums + bias, step)


@given(st.data(), offsets, st.booleans())
def test_poolings(data: st.DataObject, offset: int, with_padding: bool):
    kernel, strides = ([data.draw(st.integers(1, 4)) for _ in range(2)] for _ in range(2))
    window: dict[str, Any] = {"strides": strides, "pads": [data.draw(st.integers(0, size // 2)) for size in kernel * 2]}
    x = inputs(data.draw, 2, 3, *(size + data.draw(st.integers(0, 4)) for size in kernel))
    step = np.float32(0.037)
    model = one_layer(
        "AveragePool",
        x.shape,
        deq_scale=float(step),
        offset=offset,
        kernel_shape=kernel,
        count_include_pad=int(with_padding),
        **window,
    )
    mean = reference.pooled(
        reference.quantised(x, 1.0, offset) - offset, kernel=kernel, with_padding=with_padding, **window
    )
    results = Simulator(model, threads=1, probes=["c"]).run({"x": x})
    np.testing.assert_array_equal(results["c"], mean)
    np.testing.assert_array_equal(results["y"], mean * step)


@pytest.mark.parametrize(
    ("depth", "weight", "value"), [(70_000, 127, 127), (70_000, -128, 127), (70_000, 127, -128), (65_000, 127, 127)]
)
def test_sums_that_pass_32_bits_wrap_and_are_counted(depth: int, weight: int, value: int):
    offset = -128 if value > 0 else 127
    x = np.full((1, depth), value - offset, np.float32)
    matrix = np.full((depth, 2), weight, np.int8)
    matrix[:, 1] = 1
    sums = np.array([[(value - offset) * weight * depth, (value - offset) * depth]], np.int64)
    assert bool((np.abs(sums) >= 2**31).any()) == (depth == 70_000)
    check(one_layer("MatMul", x.shape, weight=matrix, offset=offset), x, sums, np.ones(1, np.float32))


def test_a_bias_that_takes_a_sum_over_the_edge_is_counted_by_layer():
    x = np.full((1, 1), 1, np.float32)
    model = one_layer("Gemm", (1, 1), weight=np.ones((1, 2)), bias=np.array([LARGEST, LARGEST - 1]))
    simulator = Simulator(model, threads=1, probes=["c"])
    assert simulator.run({"x": x})["c"].tolist() == [[-LARGEST - 1, LARGEST]]
    simulator.run({"x": 0 * x})
    assert simulator.overflows == {"c": 1}
    simulator.run({"x": x})
    assert simulator.overflows == {"c": 2}


def test_a_pooling_whose_sum_float32_may_not_have_is_refused():
    model = one_layer("AveragePool", (1, 1, 300, 300), offset=-128, kernel_shape=[257, 257])
    with pytest.raises(UnsupportedModel, match="AveragePool 'c' adds up 66049 integers, too many to be exact"):
        Simulator(model)
    Simulator(one_layer("AveragePool", (1, 1, 300, 300), offset=-128, kernel_shape=[256, 257]))

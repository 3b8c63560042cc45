"""At full rank the stack is the layer, whatever the kernel, strides, padding and dilation; and so it is of any weight.

float32 sums of a few hundred terms differ by their order: the tolerance is 2e-5 for outputs of unit size.
"""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrated import graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE

Array = np.ndarray[Any, Any]


def convolution(weight: Array, *, attributes: str = "", size: str = "12,10") -> ir.Model:
    channels, axes = weight.shape[1], "HWD"[: weight.ndim - 2]
    body = f"a = Conv{attributes}(x, w, b) y = Relu(a)"
    y = f"float[{','.join(['N', 'C', *axes])}] y"
    scaled = weight / np.float32(np.sqrt(weight[0].size))
    return graph(body, x=f"float[N,{channels},{size}] x", y=y, w=scaled, b=numbers(len(weight), seed=8))


def full_ranks(shape: tuple[int, ...], form: str) -> list[str]:
    """The full ranks of a kernel, as the option takes them; of `spatial` those of every order."""
    outputs, inputs, *kernel = shape
    if max(kernel) == 1:
        return [str(min(outputs, inputs))]
    if form == "tucker2":
        return [f"{inputs}x{outputs}"]
    taps, long = prod(kernel), [size for size in kernel if size > 1]
    firsts = {taps}
    if form == "spatial" and len(kernel) > 1:
        fewest = 0 if 1 in kernel else 1
        firsts = {prod(own) for count in range(fewest, len(long)) for own in combinations(long, count)}
    return sorted({str(min(inputs * first, outputs * taps // first)) for first in firsts})


def check(weight: Array, form: str, attributes: str = "", size: str = "12,10", data: Any = None) -> None:
    made = convolution(weight, attributes=attributes, size=size)
    sizes = [11, 9] if "H" in size else map(int, size.split(","))
    inputs = {"x": numbers(2, weight.shape[1], *sizes)}
    for ranks in full_ranks(weight.shape, form):
        after, notes = apply(DECOMPOSE, made, data=data, form=form, policy="ranks", ranks=[f"a: {ranks}"])
        assert len(notes.details["layers"]) == 1 and ops(after)["Conv"] == (3 if "x" in ranks else 2)
        assert_equivalent(made, after, inputs, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("shape", "size", "attributes", "form"),
    [
        ((8, 6, 3, 3), "12,10", "<pads = [1, 0, 2, 1]>", "spatial"),
        ((8, 6, 3, 3), "12,10", "<pads = [1, 1, 1, 1], strides = [2, 1], dilations = [1, 2]>", "spatial"),
        ((6, 8, 3, 3), "H,W", '<auto_pad = "SAME_UPPER", strides = [2, 3]>', "spatial"),
        ((6, 8, 4, 2), "12,10", '<auto_pad = "SAME_LOWER">', "spatial"),
        ((6, 8, 1, 7), "12,10", "<pads = [0, 3, 0, 3], strides = [2, 1]>", "spatial"),
        ((6, 8, 5, 3), "12,10", "<strides = [2, 2], pads = [2, 1, 2, 1]>", "channel"),
        ((6, 8, 5, 3), "12,10", "<strides = [2, 2], pads = [2, 1, 2, 1]>", "tucker2"),
        ((6, 8, 1, 1), "12,10", "<strides = [2, 2]>", "spatial"),
        ((6, 8, 3), "12", "<strides = [2], pads = [1, 1]>", "spatial"),
        ((6, 8, 3), "12", "<strides = [2], pads = [1, 1]>", "tucker2"),
        ((6, 4, 3, 2, 3), "6,5,7", "<strides = [2, 1, 1], pads = [1, 0, 1, 1, 1, 1]>", "spatial"),
        ((6, 4, 3, 2, 3), "6,5,7", "<dilations = [2, 1, 1]>", "tucker2"),
        ((1, 1, 3, 3), "12,10", "", "spatial"),
    ],
)
def test_every_geometry(shape: tuple[int, ...], size: str, attributes: str, form: str) -> None:
    check(numbers(*shape), form, attributes, size)


@pytest.mark.parametrize("form", ["spatial", "channel", "tucker2"])
@pytest.mark.parametrize(
    "weight",
    [
        pytest.param(np.zeros((4, 3, 3, 3), np.float32), id="zero"),
        pytest.param(np.ones((4, 3, 3, 3), np.float32), id="constant"),
        pytest.param(numbers(4, 1, 1, 1) * numbers(1, 3, 3, 3), id="rank one"),
        pytest.param(numbers(4, 3, 3, 3) * np.array([1, 0, 1e-30, 1e-6], np.float32)[:, None, None, None], id="tiny"),
        pytest.param(numbers(4, 1, 3, 3), id="one input"),
        pytest.param(numbers(1, 4, 3, 3), id="one output"),
    ],
)
def test_every_weight(weight: Array, form: str) -> None:
    check(weight, form)


@pytest.mark.parametrize("form", ["spatial", "channel", "tucker2"])
def test_with_data_that_hardly_move(form: str) -> None:
    data = [{"x": numbers(1, 3, 12, 10) * np.array([1, 0, 1e-6], np.float32)[:, None, None] + 5}]
    check(numbers(4, 3, 3, 3), form, "<pads = [1, 1, 1, 1]>", data=data)


@pytest.mark.parametrize(
    ("body", "shape", "x"),
    [
        ("y = MatMul(x, w)", (9, 7), "float[N,5,9] x"),
        ("y = Gemm<alpha = 0.5, beta = 2.0>(x, w, b)", (9, 7), "float[N,9] x"),
        ("y = Gemm<transB = 1>(x, w, b)", (7, 9), "float[N,9] x"),
        ("y = Gemm<transA = 1, transB = 1>(x, w)", (7, 9), "float[9,3] x"),
    ],
)
@pytest.mark.parametrize("seen", [False, True])
def test_matrices(body: str, shape: tuple[int, ...], x: str, seen: bool) -> None:
    constants = {"w": numbers(*shape), **({"b": numbers(7)} if " b)" in body else {})}
    made = graph(body, x=x, **constants)
    rows = {"N,5,9": (2, 5, 9), "N,9": (3, 9), "9,3": (9, 3)}[x[6:-3]]
    inputs = {"x": numbers(*rows, seed=1)}
    after, _ = apply(DECOMPOSE, made, data=[inputs] if seen else None, policy="ranks", ranks=["y: 7"])
    assert ops(after) == {body[4:].split("(")[0].split("<")[0]: 2}
    assert_equivalent(made, after, inputs, rtol=0, atol=2e-5)


@st.composite
def geometries(draw: st.DrawFn) -> tuple[Array, str, str, str]:
    """A kernel, Conv attributes, the size of the input, a form."""
    axes = draw(st.integers(1, 3))
    per_axis = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    kernel, strides, dilations = draw(per_axis), draw(per_axis), draw(per_axis)
    pads = draw(st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes))
    automatic = draw(st.sampled_from(["", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    sizes = [draw(st.integers((taps - 1) * step + 1, 9)) for taps, step in zip(kernel, dilations, strict=True)]
    padding = f'auto_pad = "{automatic}"' if automatic else f"pads = {pads}"
    if automatic.startswith("SAME"):
        dilations = [1] * axes  # onnxruntime refuses both together
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), *kernel)
    weight = numbers(*shape, seed=draw(st.integers(0, 9)))
    form = draw(st.sampled_from(["spatial", "channel", "tucker2"]))
    return weight, f"<{padding}, strides = {strides}, dilations = {dilations}>", ",".join(map(str, sizes)), form


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_any_geometry(drawn: tuple[Array, str, str, str]) -> None:
    weight, attributes, size, form = drawn
    check(weight, form, attributes, size)


@settings(max_examples=40, deadline=None)
@given(geometries(), st.sampled_from(["energy", "ratio", "budget"]))
def test_no_error_allowed_changes_nothing(drawn: tuple[Array, str, str, str], policy: str) -> None:
    """Whatever takes no error to be none keeps the outputs: a stack that is not exact is not taken."""
    weight, attributes, size, _ = drawn
    made = convolution(weight, attributes=attributes, size=size)
    options = {"form": "auto", "min_gain": 0.0, "step": 1, "energy": 0.0, "ratio": 1.0, "budget": 1.0}
    after, _ = apply(DECOMPOSE, made, policy=policy, max_error=0.0, **options)
    inputs = {"x": numbers(1, weight.shape[1], *map(int, size.split(",")))}
    assert_equivalent(made, after, inputs, rtol=0, atol=2e-5)

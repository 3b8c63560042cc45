"""Every layer is the same sum: scales and shifts before and behind it are what onnxruntime computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.naming import Names
from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress_plugins.folding.affine import Affine, Channels, Obstacle
from onnxpress_plugins.folding.linear_layers import Layer, layer, mixes_borders


def only_layer(parsed: ir.Model) -> Layer:
    found = layer(parsed.graph[0])
    assert found is not None
    return found


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@st.composite
def layers(draw: st.DrawFn) -> tuple[str, tuple[int, ...], tuple[int, ...], int]:
    """Expression, shapes of weight and data, number of outputs."""
    kind = draw(st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]))
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if kind == "Conv":
        taps = draw(st.sampled_from([(2,), (2, 3), (1, 2, 2)]))
        weight = (groups * outputs, inputs, *taps)
        return f"Conv<group={groups}>(x, w, b)", weight, (2, groups * inputs, *(4 for _ in taps)), groups * outputs
    if kind == "ConvTranspose":
        weight = (groups * inputs, outputs, 1, 1)
        return f"ConvTranspose<group={groups}>(x, w, b)", weight, (2, groups * inputs, 3, 3), groups * outputs
    if kind == "Gemm":
        transposed = draw(st.booleans())
        weight = (outputs, inputs) if transposed else (inputs, outputs)
        return f"Gemm<transB={int(transposed)}, alpha=0.5, beta=3.0>(x, w, b)", weight, (2, inputs), outputs
    return "MatMul(x, w)", (inputs, outputs), (2, 3, inputs), outputs


@given(layers(), st.booleans())
def test_scale_and_shift_on_either_side(drawn: tuple[str, tuple[int, ...], tuple[int, ...], int], ahead: bool) -> None:
    expression, weight, data, outputs = drawn
    inputs = f"float[{','.join(map(str, data))}] x, float[{','.join(map(str, weight))}] w, float[{outputs}] b"
    parsed = model(f"g ({inputs}) => (y) {{ y = {expression} }}", w=numbers(*weight), b=numbers(outputs, seed=1))
    changed = parsed.clone()
    target = only_layer(changed)
    channels = target.inputs if ahead else target.outputs
    affine = Affine(*(numbers(channels.size, seed=seed).astype(np.float64) for seed in (2, 3)))
    (target.ahead(affine) if ahead else target.behind(affine)).store(Names(changed))

    def apply(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        spread = [-1 if axis == array.ndim + channels.axes[0] else 1 for axis in range(array.ndim)]
        return (affine.scale.reshape(spread) * array + affine.shift.reshape(spread)).astype(np.float32)

    x = numbers(*data, seed=4)
    expected = Session(parsed, threads=1).run({"x": apply(x) if ahead else x})["y"]
    actual = Session(changed, threads=1).run({"x": x})["y"]
    # float32: sums of up to 24 products of order 10, each rounded twice
    np.testing.assert_allclose(actual, expected if ahead else apply(expected), rtol=1e-5, atol=1e-4)


def test_where_the_channels_are() -> None:
    text = "g (float[N,6,8,8] x, float[6,2,3,3] w) => (y) { y = ConvTranspose<group=3>(x, w) }"
    found = only_layer(model(text, w=np.ones((6, 2, 3, 3), np.float32)))
    assert found.four == (3, 2, 2, 9)
    assert found.inputs == Channels(axes=(-3,), rank=4, sizes=(6,))
    assert found.outputs == Channels(axes=(-3,), rank=4, sizes=(6,))


OBSTACLES = {
    "activation": ("MatMul(x, x)", "the weight 'x' of MatMul 'y' is not a float constant"),
    "integers": ("MatMul(i, i)", "the weight 'i' of MatMul 'y' is not a float constant"),
    "batches": ("MatMul(x, b)", "MatMul 'y' multiplies batches of matrices or transposes its data"),
    "transposed data": ("Gemm<transA=1>(x, w)", "Gemm 'y' multiplies batches of matrices or transposes its data"),
}


@pytest.mark.parametrize(("expression", "why"), OBSTACLES.values(), ids=OBSTACLES)
def test_obstacles(expression: str, why: str) -> None:
    constants = "float[2,2] w = {1,2,3,4}, int32[2,2] i = {1,2,3,4}, float[1,2,2] b = {1,2,3,4}"
    parsed = model(f"g (float[2,2] x) => (y) <{constants}> {{ y = {expression} }}")
    with pytest.raises(Obstacle, match=f"^{why}$"):
        layer(parsed.graph[0])


def test_what_is_no_layer() -> None:
    assert layer(model("g (float[2,2] x) => (y) { y = Relu(x) }").graph[0]) is None


def test_a_bias_for_every_row_is_an_obstacle() -> None:
    constants = "float[2,2] w = {1,2,3,4}, float[2,1] b = {1,2}"
    parsed = model(f"g (float[2,2] x) => (y) <{constants}> {{ y = Gemm(x, w, b) }}")
    with pytest.raises(Obstacle, match=r"^the bias 'b' of Gemm 'y' is not one constant number per channel$"):
        only_layer(parsed).behind(Affine(np.ones(2), np.ones(2)))


BORDERS = {
    "Conv(x, w)": False,
    'Conv<auto_pad="VALID">(x, w)': False,
    "Conv<pads=[0,0,0,1]>(x, w)": True,
    'Conv<auto_pad="SAME_UPPER">(x, w)': True,
    'Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, p)': False,
    "ConvTranspose(x, w)": True,
    "ConvTranspose(x, p)": False,
    "ConvTranspose<strides=[2,2]>(x, p)": True,
    "ConvTranspose<output_shape=[9,9]>(x, p)": True,
}


@pytest.mark.parametrize(("expression", "expected"), BORDERS.items(), ids=BORDERS)
def test_mixed_borders(expression: str, expected: bool) -> None:
    text = f"g (float[N,2,8,8] x, float[2,2,3,3] w, float[2,2,1,1] p) => (y) {{ y = {expression} }}"
    parsed = model(text, w=np.ones((2, 2, 3, 3), np.float32), p=np.ones((2, 2, 1, 1), np.float32))
    assert mixes_borders(parsed.graph[0]) is expected

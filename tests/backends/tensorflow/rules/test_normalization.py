"""Normalisations by moments against onnxruntime or their definition, in both layouts and with sizes unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

RNG = np.random.default_rng(0)
SCALE, BIAS = RNG.uniform(0.5, 2, 6).astype(np.float32), RNG.standard_normal(6).astype(np.float32)
IMAGE = (RNG.standard_normal((2, 6, 4, 5)) * 3 + 1).astype(np.float32)


def listed(array: Any) -> str:
    return ", ".join(str(item) for item in array.tolist())


PARAMETERS = f"s = Constant<value = float[6] {{{listed(SCALE)}}}>() b = Constant<value = float[6] {{{listed(BIAS)}}}>()"


def standard(x: Any, axes: tuple[int, ...], epsilon: float = 1e-5) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_normalization(agree: Agree, axis: int):
    node = f"y, mean, inverse = LayerNormalization<axis = {axis}, epsilon = 0.01>(x, s, b)"
    outputs = "float[n,t,6] y, float[n,i,j] mean, float[n,k,l] inverse"
    text = f"agraph (float[n,t,6] x, float[6] s, float[6] b) => ({outputs}) {{ {node} }}"
    agree(text, {"x": IMAGE[:, :, 0].transpose(0, 2, 1), "s": SCALE, "b": BIAS})


def test_layer_normalization_over_channels_in_the_middle(agree: Agree):
    before, after = "t = Transpose<perm = [0, 2, 3, 1]>(x)", "y = Transpose<perm = [0, 3, 1, 2]>(n)"
    nodes = f"{PARAMETERS} {before} n = LayerNormalization(t, s, b) {after}"
    text = f"agraph (float[2,6,4,5] x) => (float[2,6,4,5] y) {{ {nodes} }}"
    assert "Transpose" not in agree(text, {"x": IMAGE})


def test_layer_normalization_of_halves_is_computed_in_single_precision(emitted: Emitted):
    x = (np.arange(12).reshape(2, 6) * 100 + 1000).astype(np.float16)
    text = "agraph (float16[n,6] x, float16[6] s) => (float16[n,6] y) { y = LayerNormalization(x, s) }"
    expected = standard(x.astype(np.float32), (1,)).astype(np.float16) * SCALE.astype(np.float16)
    np.testing.assert_allclose(emitted(text)(x, SCALE.astype(np.float16)), expected, rtol=2e-3)


def test_rms_normalization(emitted: Emitted):
    header = '<ir_version: 10, opset_import: ["" : 23]>'
    text = f"{header} agraph (float[n,t,6] x, float[6] s) => (float[n,t,6] y) {{ y = RMSNormalization(x, s) }}"
    x = IMAGE[:, :, 0].transpose(0, 2, 1)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * SCALE
    np.testing.assert_allclose(emitted(text)(x, SCALE), expected, rtol=1e-5)


@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(agree: Agree, p: int):
    x = IMAGE.copy()
    x[:, :, 0] = 0
    agree(f"agraph (float[2,6,4,5] x) => (float[2,6,4,5] y) {{ y = LpNormalization<axis = 1, p = {p}>(x) }}", {"x": x})


@pytest.mark.parametrize(
    "node", ["LpNormalization<axis = 1>(c)", "MeanVarianceNormalization(c)", "InstanceNormalization(c, s, b)"]
)
def test_nothing_moves(agree_on_image: Agree, node: str):
    agree_on_image(f"{PARAMETERS} d = {node}")


@pytest.mark.parametrize("shape", ["2,6,4,5", "n,6,h,w"])
def test_instance_and_mean_variance_normalization(agree: Agree, shape: str):
    inner = f"agraph (float[{shape}] x) => (float[{shape}] y)"
    agree(f"{inner} {{ {PARAMETERS} y = InstanceNormalization<epsilon = 0.1>(x, s, b) }}", {"x": IMAGE})
    agree(f"{inner} {{ y = MeanVarianceNormalization<axes = [0, 2]>(x) }}", {"x": IMAGE})


def grouped(groups: int) -> Any:
    return standard(IMAGE.reshape(2, groups, -1), (2,)).reshape(IMAGE.shape)


@pytest.mark.parametrize("shape", ["2,6,4,5", "n,6,h,w"])
def test_group_normalization(emitted: Emitted, shape: str):
    header = '<ir_version: 10, opset_import: ["" : 21]>'
    text = f"{header} agraph (float[{shape}] x) => (float[{shape}] y)"
    run = emitted(f"{text} {{ {PARAMETERS} y = GroupNormalization<num_groups = 3>(x, s, b) }}")
    expected = grouped(3) * SCALE[:, None, None] + BIAS[:, None, None]
    np.testing.assert_allclose(run(IMAGE), expected, rtol=1e-5, atol=1e-5)


def test_group_normalization_before_opset_21_scales_groups(emitted: Emitted):
    header = '<ir_version: 10, opset_import: ["" : 18]>'
    text = f"{header} agraph (float[2,6,4,5] x, float[3] s, float[3] b) => (float[2,6,4,5] y)"
    run = emitted(f"{text} {{ y = GroupNormalization<num_groups = 3>(x, s, b) }}")
    scale, bias = (part[:3].repeat(2)[:, None, None] for part in (SCALE, BIAS))
    np.testing.assert_allclose(run(IMAGE, SCALE[:3], BIAS[:3]), grouped(3) * scale + bias, rtol=1e-5, atol=1e-5)


def test_group_normalization_of_an_image_that_lies_channels_last(emitted: Emitted):
    header = '<ir_version: 10, opset_import: ["" : 21]>'
    nodes = f"{PARAMETERS} n = GroupNormalization<num_groups = 2>(c, s, b)"
    text = f"{header} agraph (float[2,h,w,6] x) => (float[2,h,w,6] y) {{ c = Transpose<perm = [0, 3, 1, 2]>(x) {nodes}"
    run = emitted(f"{text} y = Transpose<perm = [0, 2, 3, 1]>(n) }}")
    expected = grouped(2) * SCALE[:, None, None] + BIAS[:, None, None]
    np.testing.assert_allclose(run(IMAGE.transpose(0, 2, 3, 1)), expected.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)

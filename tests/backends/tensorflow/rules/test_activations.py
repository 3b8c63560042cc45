"""Activations and Clip against onnxruntime, with coefficients of their own, in the layout of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

OPSET_24 = '<ir_version: 10, opset_import: ["" : 24]>'
X = np.concatenate([np.linspace(-9, 9, 37), [0.5, -0.5, 3, -3, 6]]).astype(np.float32)


@pytest.mark.parametrize(
    ("node", "op"),
    [
        ("Celu", "Elu"),
        ("Celu<alpha = 0.7>", "Expm1"),
        ("Elu", "Elu"),
        ("Elu<alpha = 0.3>", "SelectV2"),
        ("HardSigmoid", "ClipByValue"),
        ("HardSigmoid<alpha = 0.4, beta = 0.1>", "ClipByValue"),
        ("HardSwish", "Relu6"),
        ("LeakyRelu<alpha = 0.2>", "LeakyRelu"),
        ("Mish", "Softplus"),
        ("Selu", "Selu"),
        ("Selu<alpha = 2.0, gamma = 0.5>", "Elu"),
        ("Shrink<lambd = 1.5, bias = 0.5>", "SelectV2"),
        ("ThresholdedRelu<alpha = 2.0>", "Greater"),
    ],
)
def test_activations(agree: Agree, node: str, op: str):
    header = '<ir_version: 10, opset_import: ["" : 18]>'
    call = f"{node}(x)"
    assert op in agree(f"{header} agraph (float[n] x) => (float[n] y) {{ y = {call} }}", {"x": X})


def test_gelu_and_swish_are_written_as_in_tensorflow(emitted: Emitted, tf: Any):
    text = f"{OPSET_24} agraph (float[n] x) => (float[n] y) {{ y = %s(x) }}"
    for node, expected in (
        ("Gelu", tf.nn.gelu(X)),
        ('Gelu<approximate = "tanh">', tf.nn.gelu(X, approximate=True)),
        ("Swish", tf.nn.silu(X)),
        ("Swish<alpha = 0.5>", X * tf.sigmoid(X / 2)),
    ):
        np.testing.assert_allclose(emitted(text % node)(X), expected, rtol=1e-6, atol=1e-6)


def test_slopes_of_channels(agree_on_image: Agree):
    slopes = "s = Constant<value = float[6,1,1] {0.1, 0.2, 0.3, 0.4, -0.5, 2.}>()"
    agree_on_image(f"{slopes} d = PRelu(c, s)")
    assert "LeakyRelu" in agree_on_image("s = Constant<value = float[1] {0.1}>() d = PRelu(c, s)")


@pytest.mark.parametrize(
    ("low", "high", "op"),
    [
        ("0.", "6.", "Relu6"),
        ("-1.", "2.", "ClipByValue"),
        ("0.", "", "Relu"),
        ("1.", "", "Maximum"),
        ("", "1.", "Minimum"),
    ],
)
def test_clip_with_ends_that_are_known(agree: Agree, low: str, high: str, op: str):
    ends = [f"{name} = Constant<value = float {{{end}}}>()" for name, end in (("a", low), ("b", high)) if end]
    inputs = f"x, {'a' if low else ''}" + (", b" if high else "")
    ops = agree(f"agraph (float[n] x) => (float[n] y) {{ {' '.join(ends)} y = Clip({inputs}) }}", {"x": X})
    assert ops[-1] == op
    attributes = ", ".join(f"{name} = {end}" for name, end in (("min", low), ("max", high)) if end)
    old = (
        f'<ir_version: 10, opset_import: ["" : 10]> agraph (float[n] x) => (float[n] y) {{ y = Clip<{attributes}>(x) }}'
    )
    assert agree(old, {"x": X})[-1] == op


def test_clip_without_ends_is_nothing(agree: Agree):
    assert agree("agraph (float[n] x) => (float[n] y) { c = Clip(x) y = Neg(c) }", {"x": X}) == ["Placeholder", "Neg"]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint32", "uint64", "float"])
def test_clip_is_the_smaller_of_high_and_the_larger_of_low(emitted: Emitted, kind: str):
    dtype = "float32" if kind == "float" else kind
    text = f"agraph ({kind}[n] x, {kind} low, {kind} high) => ({kind}[n] y) {{ y = Clip(x, low, high) }}"
    clip = emitted(text)
    element = st.integers(0 if kind[0] == "u" else -100, 100)

    @given(arrays(dtype, 6, elements=element), element, element)
    def check(x: Any, low: int, high: int) -> None:
        ends = np.array(low, dtype), np.array(high, dtype)
        np.testing.assert_array_equal(clip(x, *ends), np.minimum(np.maximum(x, ends[0]), ends[1]))

    check()


@pytest.mark.parametrize("kind", ["int32", "uint64"])
def test_known_ends_the_wrong_way_round_give_the_high_one(emitted: Emitted, kind: str):
    ends = f"low = Constant<value = {kind} {{5}}>() high = Constant<value = {kind} {{2}}>()"
    clip = emitted(f"agraph ({kind}[n] x) => ({kind}[n] y) {{ {ends} y = Clip(x, low, high) }}")
    np.testing.assert_array_equal(clip(np.array([1, 3, 9], kind)), [2, 2, 2])


def test_shrinking_integers(emitted: Emitted):
    shrink = emitted("agraph (int32[n] x) => (int32[n] y) { y = Shrink<lambd = 1.5, bias = 1.0>(x) }")
    np.testing.assert_array_equal(shrink(np.array([-3, -2, -1, 0, 1, 2, 3], np.int32)), [-2, -1, 0, 0, 0, 1, 2])

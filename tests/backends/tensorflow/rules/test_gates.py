"""Swish, Mish, Gelu and their like, against TensorFlow's own functions or onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

OPSET_24 = '<ir_version: 10, opset_import: ["" : 24]>'
X = np.linspace(-9, 9, 38).astype(np.float32)


@pytest.mark.parametrize(("node", "op"), [("HardSwish", "Relu6"), ("Mish", "Softplus")])
def test_gates_that_onnxruntime_knows(agree: Agree, node: str, op: str):
    header = '<ir_version: 10, opset_import: ["" : 18]>'
    assert op in agree(f"{header} agraph (float[n] x) => (float[n] y) {{ y = {node}(x) }}", {"x": X})


def test_gelu_and_swish_are_written_as_in_tensorflow(emitted: Emitted, tf: Any):
    text = f"{OPSET_24} agraph (float[n] x) => (float[n] y) {{ y = %s(x) }}"
    for node, expected in (
        ("Gelu", tf.nn.gelu(X)),
        ('Gelu<approximate = "tanh">', tf.nn.gelu(X, approximate=True)),
        ("Swish", tf.nn.silu(X)),
        ("Swish<alpha = 0.5>", X * tf.sigmoid(X / 2)),
    ):
        np.testing.assert_allclose(emitted(text % node)(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "call", ["Gelu(x)", "FastGelu(x)", "QuickGelu<alpha = 1.5>(x)", "BiasGelu(x, b)", "FastGelu(x, b)"]
)
def test_what_the_optimiser_of_onnxruntime_makes_of_a_gelu(agree: Agree, call: str):
    header = '<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>'
    bias = "b = Constant<value = float[2] {0.5, -0.5}>()"
    text = f"{header} agraph (float[n,2] x) => (float[n,2] y) {{ {bias} y = com.microsoft.{call} }}"
    agree(text, {"x": X.reshape(-1, 2)})

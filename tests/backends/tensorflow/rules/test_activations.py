"""Activations against onnxruntime, with coefficients of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

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
        ("LeakyRelu<alpha = 0.2>", "LeakyRelu"),
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


def test_slopes_of_channels(agree_on_image: Agree):
    slopes = "s = Constant<value = float[6,1,1] {0.1, 0.2, 0.3, 0.4, -0.5, 2.}>()"
    agree_on_image(f"{slopes} d = PRelu(c, s)")
    assert "LeakyRelu" in agree_on_image("s = Constant<value = float[1] {0.1}>() d = PRelu(c, s)")


def test_shrinking_integers(emitted: Emitted):
    shrink = emitted("agraph (int32[n] x) => (int32[n] y) { y = Shrink<lambd = 1.5, bias = 1.0>(x) }")
    np.testing.assert_array_equal(shrink(np.array([-3, -2, -1, 0, 1, 2, 3], np.int32)), [-2, -1, 0, 0, 0, 1, 2])

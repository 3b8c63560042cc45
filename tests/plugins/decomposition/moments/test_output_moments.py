"""What layers give: how much it varies, and what a Relu behind them hides of it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress_plugins.decomposition.moments.output_moments import OutputMoments, is_gated

KERNEL = {"w": numbers(4, 4, 1, 1), "low": np.float32(0), "high": np.float32(6), "below": np.float32(-1)}


def output(body: str) -> ir.Value:
    return next(iter(graph(f"c = Conv(x, w) {body}", **KERNEL).graph)).outputs[0]


@pytest.mark.parametrize(
    "body",
    [
        "y = Relu(c)",
        "y = Clip(c, low, high)",
        "y = Clip(c, low)",
        "r = Relu(c) s = Clip(c, low, high) y = Add(r, s)",
    ],
)
def test_a_relu_hides_what_is_below_zero(body: str) -> None:
    assert is_gated(output(body))


@pytest.mark.parametrize(
    "body",
    [
        "y = LeakyRelu(c)",
        "y = PRelu(c, below)",
        "y = Clip(c, below, high)",
        "y = Clip(c)",
        "l = ReduceMin<keepdims = 0>(x) y = Clip(c, l)",
        "r = Relu(c) y = Add(r, c)",
        "y = Sigmoid(c)",
    ],
)
def test_others_do_not(body: str) -> None:
    assert not is_gated(output(body))


def test_what_leaves_the_model_is_seen() -> None:
    made = graph("y = Conv(x, w) r = Relu(y)", w=KERNEL["w"])
    assert not is_gated(next(iter(made.graph)).outputs[0])


@pytest.mark.parametrize("axis", [1, -1])
def test_each_channel_weighs_as_often_as_it_is_open(axis: int) -> None:
    moments = OutputMoments(output("y = Relu(c)"), axis)
    samples = numbers(6, 4, 5, 4) + np.float32([-9, -1, 0, 1]).reshape(-1, *([1, 1] if axis == 1 else []))
    for sample in samples:
        moments.add(sample[None])
    channels = np.moveaxis(samples, axis, 0).reshape(4, -1)
    often = np.maximum((channels > 0).mean(axis=1), 0.02)
    assert often[0] == 0.02
    np.testing.assert_allclose(np.asarray(moments.scales), np.sqrt(often))
    assert moments.variance == pytest.approx((often * channels.var(axis=1)).sum(), rel=1e-5)


def test_without_a_relu_all_channels_weigh_the_same() -> None:
    moments = OutputMoments(output("y = Sigmoid(c)"), 1)
    samples = numbers(6, 4, 5, 4)
    for sample in samples:
        moments.add(sample[None])
    assert moments.scales is None
    assert moments.variance == pytest.approx(samples.var(axis=(0, 2, 3)).sum(), rel=1e-5)

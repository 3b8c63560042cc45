"""Layers that GE runs in float16: which, with which numbers, and what becomes of the layers beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ascend_arithmetic as reference
from deploy_layers import one_layer
from deploy_models import deploy, integers, words
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers
from onnxpress.ascend.simulation.rolling_back import is_rolled_back
from onnxpress.ascend.simulation.simulator import Simulator


def judged(model: Any) -> bool:
    check(model)
    (layer,) = layers(model)
    return is_rolled_back(layer)


@pytest.mark.parametrize(
    ("op", "channels", "weight", "attributes", "expected"),
    [
        ("Conv", 16, (4, 16, 1, 1), {}, True),
        ("Conv", 17, (4, 17, 1, 1), {}, False),
        ("Conv", 16, (16, 1, 1, 1), {"group": 16}, True),
        ("Conv", 32, (32, 1, 1, 1), {"group": 32}, False),
        ("Conv", 32, (4, 8, 1, 1), {"group": 4}, False),
        ("ConvTranspose", 16, (16, 4, 1, 1), {}, True),
        ("ConvTranspose", 20, (20, 2, 1, 1), {"group": 2}, False),
        ("AveragePool", 4, None, {"kernel_shape": [2, 3]}, True),
        ("AveragePool", 4, None, {"kernel_shape": [3, 2]}, False),
        ("AveragePool", 4, None, {"kernel_shape": [1, 1], "strides": [64, 1]}, True),
    ],
)
def test_which(op: str, channels: int, weight: Any, attributes: dict[str, Any], expected: bool):
    kernel = None if weight is None else integers(*weight)
    assert judged(one_layer(op, (1, channels, 3, 3), weight=kernel, **attributes)) == expected


def test_matrices_stay():
    assert not judged(one_layer("Gemm", (1, 4), weight=integers(4, 2)))
    assert not judged(one_layer("MatMul", (1, 4), weight=integers(4, 2)))


def halves(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, np.float32).astype(np.float16).astype(np.float64)


def in_floats(x: NDArray[np.float32], weight: NDArray[Any], step: NDArray[Any], scale: float) -> tuple[Any, Any]:
    """Data and weight of a layer that is rolled back, the scale along axis 0."""
    factors = (step * np.float32(scale)).reshape(-1, *[1] * (weight.ndim - 1))
    return halves(x), halves(weight.astype(np.float32) * factors)


STEP = np.array([1.1e-3, 2.3e-2, 3.7e-4, 5e-3], np.float32)
WINDOW: dict[str, Any] = {"strides": [1, 2], "dilations": [1, 1], "pads": [1, 0, 1, 1]}


def close(got: NDArray[np.float32], exact: NDArray[np.float64]) -> None:
    """One step of float16: sums in float32 go in another order."""
    np.testing.assert_array_equal(got, got.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(got, exact, rtol=2.0**-10, atol=1e-5)


@pytest.mark.parametrize("group", [1, 2, 4])
def test_a_convolution(group: int):
    weight, bias = integers(4, 4 // group, 3, 2), np.array([5000, -1, 0, 123456])
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
    model = one_layer(
        "Conv", x.shape, weight=weight, bias=bias, deq_scale=STEP, scale=31.7, offset=9, group=group, **WINDOW
    )
    data, kernel = in_floats(x, weight, STEP, 31.7)
    parts = []
    for part, taps in zip(np.split(data, group, 1), np.split(kernel, group), strict=True):
        padded = np.pad(part, [(0, 0), (0, 0), (1, 1), (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), (2, 3))[:, :, ::1, ::2]
        parts.append(np.einsum("nchwij,ocij->nohw", windows, taps))
    exact = np.concatenate(parts, 1) + halves(bias.astype(np.float32) * STEP).reshape(-1, 1, 1)
    got = Simulator(model, "device", threads=1).run({"x": x})["y"]
    close(got, exact)


def test_a_transposed_convolution_has_its_scales_along_the_channels_of_every_group():
    weight = integers(4, 2, 1, 1)
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3)).astype(np.float32)
    model = one_layer("ConvTranspose", x.shape, weight=weight, deq_scale=STEP, scale=20.0, offset=1, group=2)
    exact = np.zeros((1, 4, 3, 3))
    for channel in range(4):
        group, inside = divmod(channel, 2)
        for source in (2 * group, 2 * group + 1):
            factor = halves(np.float32(weight[source, inside, 0, 0]) * (STEP[channel] * np.float32(20)))
            exact[:, channel] += halves(x[:, source]) * factor
    close(Simulator(model, "device", threads=1).run({"x": x})["y"], exact)


def test_relu_and_a_scale_for_all():
    weight = integers(4, 4, 1, 1)
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3)).astype(np.float32)
    model = one_layer("Conv", x.shape, weight=weight, deq_scale=1e-3, scale=30.0, dequant={"relu_flag": 1})
    data, kernel = in_floats(x, weight, np.array([1e-3], np.float32), 30.0)
    exact = np.maximum(np.einsum("nchw,ocij->nohw", data, kernel), 0)
    close(Simulator(model, "device", threads=1).run({"x": x})["y"], exact)


def test_a_pooling_takes_the_mean_of_the_floats():
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3)).astype(np.float32)
    model = one_layer("AveragePool", x.shape, deq_scale=0.1, scale=10.0, kernel_shape=[3, 3])
    close(Simulator(model, "device", threads=1).run({"x": x})["y"], halves(x).mean(axis=(2, 3), keepdims=True))


def shared(channels: int) -> Any:
    """One AscendQuant for a padded convolution and a matrix."""
    return deploy(
        f"""agraph (float[1,{channels},2,4] x, int64[8] pads, int8[3,{channels},1,1] w, int8[4,2] v, uint64[1] s)
            => (float[1,3,4,6] y, float[1,{channels},2,2] z) {{
            q = AscendQuant<scale = 40.0, offset = -7.0, dst_type = "INT8">(x)
            p = Pad(q, pads)
            c = Conv(p, w)
            y = AscendDequant(c, s)
            m = MatMul(q, v)
            z = AscendDequant(m, s)
        }}""",
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        w=integers(3, channels, 1, 1),
        v=integers(4, 2),
        s=words(1e-3),
    )


def test_beside_a_layer_that_stays_in_integers_and_behind_a_pad():
    x = np.random.default_rng(0).normal(size=(1, 5, 2, 4)).astype(np.float32)
    results = Simulator(shared(5), "device", threads=1).run({"x": x})
    data, kernel = in_floats(x, integers(3, 5, 1, 1), np.array([1e-3], np.float32), 40.0)
    close(results["y"], np.einsum("nchw,ocij->nohw", np.pad(data, [(0, 0), (0, 0), (1, 1), (1, 1)]), kernel))
    sums = (reference.quantised_in_half(x, 40.0, -7) + 7) @ integers(4, 2).astype(np.int64)
    step = (np.array([1e-3], np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    np.testing.assert_array_equal(results["z"], (sums * step).astype(np.float16).astype(np.float32))


def test_other_profiles_roll_nothing_back():
    x = np.random.default_rng(0).normal(size=(1, 5, 2, 4)).astype(np.float32)
    simulator = Simulator(shared(5), "rint", threads=1, probes=["c"])
    assert simulator.run({"x": x})["c"].dtype == np.int32

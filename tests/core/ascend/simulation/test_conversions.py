"""AscendQuant, AscendDequant and AscendAntiQuant against their formulas, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import ascend_arithmetic as reference
from deploy_layers import one_layer
from deploy_models import deploy, integers, words
from onnxpress.ascend.simulation.simulator import Simulator

BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
BOUNDS = [
    *(0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, BELOW_HALF, -BELOW_HALF, 126.5, 127.5, -127.5, -128.5, 254.5, -255.5),
    *(2.0**22 + 0.5, 2.0**23 + 1, 2.0**24 + 1, 3e38, -3e38, np.inf, -np.inf, 1e-40, -1e-45, 65504.0, 65519.0, 6e-8),
]

offsets = st.integers(-128, 127)
steps = st.floats(2.0**-20, 2.0**23, width=32)


def values(seed: int, scale: float) -> NDArray[np.float32]:
    """What saturates and what does not, ties, and what float32 finds hard."""
    generator = np.random.default_rng(seed)
    with np.errstate(over="ignore", under="ignore"):
        spread = generator.uniform(-300, 300, 64) / np.float64(scale)
        ties = (generator.integers(-300, 300, 64) + 0.5) / np.float64(scale)
        return np.array([*BOUNDS, *spread, *ties], np.float32).reshape(1, -1)


def q(x: NDArray[np.float32], profile: str, scale: float, offset: int, **quant: Any) -> NDArray[np.int64]:
    model = one_layer("Gemm", x.shape, weight=np.ones((x.size, 1)), scale=scale, offset=offset, quant=quant)
    return Simulator(model, profile, threads=1, probes=["q"]).run({"x": x})["q"].astype(np.int64)


@given(st.integers(0, 2**32 - 1), steps, offsets)
def test_quant_in_float32_rounds_ties_to_even(seed: int, scale: float, offset: int):
    x = values(seed, scale)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(q(x, "rint", scale, offset), reference.quantised(x, scale, offset))


@given(st.integers(0, 2**32 - 1), steps, offsets)
def test_quant_in_tensorflow_rounds_ties_away_from_zero(seed: int, scale: float, offset: int):
    x = values(seed, scale)
    with np.errstate(over="ignore"):
        expected = reference.quantised(x, scale, offset, ties="away")
    np.testing.assert_array_equal(q(x, "tf", scale, offset), expected)


@given(st.integers(0, 2**32 - 1), steps, offsets)
def test_quant_on_the_device_computes_in_float16(seed: int, scale: float, offset: int):
    x = values(seed, scale)
    np.testing.assert_array_equal(q(x, "device", scale, offset), reference.quantised_in_half(x, scale, offset))


def test_profiles_differ_where_they_should():
    x = np.array([[0.5, -0.5, 2.5, BELOW_HALF, 100.03]], np.float32)
    assert q(x, "rint", 1.0, 0).tolist() == [[0, 0, 2, 0, 100]]
    assert q(x, "tf", 1.0, 0).tolist() == [[1, -1, 3, 0, 100]]
    x = np.array([[0.75244]], np.float32)  # 90.5 and a little; float16 is in steps of 1/16 there
    assert q(x, "rint", 120.3, 0).tolist() == [[91]]
    assert q(x, "device", 120.3, 0).tolist() == [[90]]


@pytest.mark.parametrize("scale", [2.0**-15, 70000.0])
def test_the_device_multiplies_twice_by_the_root_of_a_scale_that_float16_has_not(scale: float):
    x = (np.arange(-40, 40, dtype=np.float32) * np.float32(1.37 / scale)).reshape(1, -1)
    x = x[np.abs(x) < 60000].reshape(1, -1)
    got = q(x, "device", scale, 3)
    root = np.float16(np.sqrt(np.float32(scale)))
    expected = np.clip(np.rint(x.astype(np.float16) * root * root + np.float16(3)), -128, 127)
    np.testing.assert_array_equal(got, expected)
    assert len(np.unique(got)) > 2


@pytest.mark.parametrize("profile", ["rint", "device"])
def test_sqrt_mode_multiplies_twice(profile: str):
    x = np.linspace(-9, 9, 301, dtype=np.float32).reshape(1, -1)
    got = q(x, profile, 3.3, -7, sqrt_mode=1)
    if profile == "rint":
        expected = np.rint(x * np.float32(3.3) * np.float32(3.3)) - 7
    else:
        expected = np.rint(x.astype(np.float16) * np.float16(3.3) * np.float16(3.3) + np.float16(-7))
    np.testing.assert_array_equal(got, np.clip(expected, -128, 127))


def gemm(deq_scale: Any, **dequant: Any) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
    """A model whose accumulators reach far, its input, the accumulators."""
    weight = integers(64, 3)
    x = np.random.default_rng(0).integers(-128, 128, (4, 64)).astype(np.float32)
    model = one_layer("Gemm", x.shape, weight=weight, deq_scale=deq_scale, dequant=dequant)
    return model, x, (x.astype(np.int64) @ weight.astype(np.int64)).astype(np.float32)


SCALES = np.array([1.2345678e-3, 3.3333333e-4, 7.7777e-2], np.float32)


def output(model: Any, x: NDArray[np.float32], profile: str) -> NDArray[Any]:
    return Simulator(model, profile, threads=1).run({"x": x})["y"]


@pytest.mark.parametrize("profile", ["rint", "tf"])
def test_dequant_multiplies_in_float32(profile: str):
    model, x, sums = gemm(SCALES)
    np.testing.assert_array_equal(output(model, x, profile), sums * SCALES)


def test_dequant_on_the_device_has_19_bits_of_scale_and_gives_float16():
    model, x, sums = gemm(SCALES)
    short = (SCALES.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    assert (short != SCALES).all()
    expected = (sums * short).astype(np.float16)
    assert (expected != (sums * SCALES).astype(np.float16)).any()
    np.testing.assert_array_equal(output(model, x, "device"), expected.astype(np.float32))


def test_dequant_on_the_device_passes_the_largest_float16():
    model, x, _ = gemm(1e4)
    assert np.isinf(output(model, x, "device")).any()


@pytest.mark.parametrize("profile", ["rint", "tf", "device"])
def test_relu_flag(profile: str):
    x = gemm(SCALES)[1]
    plain, with_relu = (output(gemm(SCALES, relu_flag=flag)[0], x, profile) for flag in (0, 1))
    assert (plain < 0).any()
    np.testing.assert_array_equal(with_relu, np.maximum(plain, 0))


def test_sqrt_mode_of_dequant_multiplies_twice():
    model, x, sums = gemm(SCALES, sqrt_mode=1)
    np.testing.assert_array_equal(output(model, x, "rint"), sums * SCALES * SCALES)


@pytest.mark.parametrize("profile", ["rint", "device"])
def test_an_output_in_float16(profile: str):
    model, x, _ = gemm(SCALES, dtype=1)
    result = output(model, x, profile)
    assert result.dtype == np.float16
    np.testing.assert_array_equal(result, output(gemm(SCALES)[0], x, profile).astype(np.float16))


def pair(offset: float) -> Any:
    return deploy(
        f"""agraph (float[1,60] x) => (float[1,60] y) {{
            q = AscendQuant<scale = 8.0, offset = -5.0, dst_type = "INT8">(x)
            y = AscendAntiQuant<scale = 0.1251, offset = {offset}, dst_type = "INT8">(q)
        }}"""
    )


@pytest.mark.parametrize("offset", [-5.0, 3.0])
def test_anti_quant(offset: float):
    x = np.linspace(-20, 20, 60, dtype=np.float32).reshape(1, -1)
    numbers = reference.quantised(x, 8.0, -5) - offset
    exact = output(pair(offset), x, "rint")
    np.testing.assert_array_equal(exact, numbers.astype(np.float32) * np.float32(0.1251))
    half = (numbers.astype(np.float16) * np.float16(0.1251)).astype(np.float32)
    np.testing.assert_array_equal(output(pair(offset), x, "device"), half)
    assert (half != exact).any()


def test_what_moves_integers_pads_with_zero_whatever_the_offset():
    model = deploy(
        """agraph (float[1,1,2,2] x, int64[8] pads, int8 fill, int8[1,1,3,3] w, uint64[1] s) => (float[1,1,2,2] y) {
            q = AscendQuant<scale = 1.0, offset = -100.0, dst_type = "INT8">(x)
            p = Pad(q, pads, fill)
            m = MaxPool<kernel_shape = [1,1]>(p)
            c = Conv(m, w)
            y = AscendDequant(c, s)
        }""",
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        fill=np.array(-100, np.int8),
        w=np.arange(9, dtype=np.int8).reshape(1, 1, 3, 3),
        s=words(1.0),
    )
    x = np.array([[[[1, 2], [3, 4]]]], np.float32)
    plane = {"strides": [1, 1], "dilations": [1, 1], "pads": [1, 1, 1, 1]}
    expected = reference.convolved(x.astype(np.int64), np.arange(9).reshape(1, 1, 3, 3), **plane)
    np.testing.assert_array_equal(output(model, x, "rint"), expected)


@pytest.mark.parametrize("profile", ["rint", "tf", "device"])
def test_integers_that_are_pooled_and_given_back(profile: str):
    text = """agraph (float[1,1,4,6] x) => (float[1,1,2,3] y) {
        q = AscendQuant<scale = 8.0, offset = -5.0, dst_type = "INT8">(x)
        m = MaxPool<kernel_shape = [2,2], strides = [2,2]>(q)
        y = AscendAntiQuant<scale = 0.125, offset = -5.0, dst_type = "INT8">(m)
    }"""
    x = np.linspace(-20, 20, 24, dtype=np.float32).reshape(1, 1, 4, 6)
    blocks = (reference.quantised(x, 8.0, -5) + 5).reshape(2, 2, 3, 2)
    expected = blocks.max(axis=(1, 3)).reshape(1, 1, 2, 3) * np.float32(0.125)
    np.testing.assert_allclose(output(deploy(text), x, profile), expected, atol=0.13 if profile == "device" else 0)

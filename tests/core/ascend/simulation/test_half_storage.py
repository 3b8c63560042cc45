"""Under profile device every tensor of floats is one that float16 holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deploy_models import deploy, integers, words
from onnxpress.ascend.simulation.simulator import Simulator


def model(body: str, result: str = "float[1,2,4,4] y", **constants: Any) -> Any:
    """A layer, and `body` behind it, on ``d``."""
    shapes = "".join(f", float[{','.join(map(str, array.shape))}] {name}" for name, array in constants.items())
    return deploy(
        f"""agraph (float[1,20,4,4] x, int8[2,20,1,1] w, uint64[1] s{shapes}) => ({result}) {{
            q = QUANT(x)
            c = Conv(q, w)
            d = DEQUANT(c, s)
            {body}
        }}""",
        w=integers(2, 20, 1, 1),
        s=words(1.2345e-3),
        **constants,
    )


X = np.random.default_rng(0).normal(size=(1, 20, 4, 4)).astype(np.float32)


def run(built: Any, profile: str = "device", *probes: str) -> Any:
    return Simulator(built, profile, threads=1, probes=probes).run({"x": X})


def test_operators_round_what_they_give():
    results = run(model("t = Sigmoid(d)\n y = Mul(t, d)"), "device", "d", "t")
    d = results["d"].astype(np.float64)
    t = (1 / (1 + np.exp(-d))).astype(np.float32).astype(np.float16)
    np.testing.assert_allclose(results["t"], t, rtol=2.0**-10, atol=1e-7)
    np.testing.assert_array_equal(results["t"], results["t"].astype(np.float16))
    product = (results["t"] * results["d"]).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(results["y"], product)


def test_constants_and_inputs_are_rounded():
    shift = np.array([1 / 3], np.float32)
    results = run(
        model("t = Add(d, k)\n y = ReduceSum(x)", "float[1,2,4,4] t, float[1,1,1,1] y", k=shift), "device", "d"
    )
    rounded = (results["d"] + np.float32(np.float16(1 / 3))).astype(np.float16)
    np.testing.assert_array_equal(results["t"], rounded)
    exact = X.astype(np.float16).astype(np.float64).sum()
    np.testing.assert_allclose(results["y"].item(), exact, rtol=2.0**-10)


def test_factors_of_sizes_stay():
    scales = np.array([1, 1, 1.7501, 1.7501], np.float32)  # 7.0004 pixels, and 7.0 or 6.99 were they rounded
    built = model('y = Resize<mode = "nearest">(d, , k)', "float[1,2,7,7] y", k=scales)
    assert run(built)["y"].shape == (1, 2, 7, 7)
    finer = np.array([1, 1, 1.0002, 2.0], np.float32)
    assert run(model('y = Resize<mode = "linear">(d, , k)', "float[1,2,4,8] y", k=finer))["y"].shape == (1, 2, 4, 8)


@pytest.mark.parametrize("profile", ["rint", "tf"])
def test_other_profiles_stay_in_float32(profile: str):
    results = run(model("y = Sigmoid(d)"), profile, "d")
    assert (results["y"] != results["y"].astype(np.float16)).any()
    assert (results["d"] != results["d"].astype(np.float16)).any()


def test_what_moves_numbers_needs_no_rounding():
    results = run(model("t = Relu(d)\n y = Transpose(t)", "float[4,4,2,1] y"), "device", "d")
    np.testing.assert_array_equal(results["y"], np.maximum(results["d"], 0).T)

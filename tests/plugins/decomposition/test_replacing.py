"""The stack in the place of a layer, and its bias: what was there, and what makes good the mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrated import graph, numbers
from low_rank_networks import Images, kernel
from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from onnxpress.testing import apply
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE

WEIGHT = kernel(48, 32, rank=30, noise=0.5)
ROWS = [{"x": np.swapaxes(own["x"], 1, 2)[0]} for own in Images(8, shape=(40,))]


@pytest.mark.parametrize("bias", [None, numbers(48), numbers(1, 48), numbers(1), np.array(0.5, np.float32)])
@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_the_mean_of_a_gemm_stays_whatever_its_bias(bias: Any, beta: float) -> None:
    constants, inputs = ({}, "x, w") if bias is None else ({"b": bias}, "x, w, b")
    body = f"y = Gemm<transB = 1, beta = {beta}>({inputs})"
    before = graph(body, x="float[N,32] x", y="float[N,48] y", w=WEIGHT, **constants)
    after, notes = apply(DECOMPOSE, before, data=ROWS, policy="ranks", ranks=["y: 8"])
    assert '"new_bias": true' in notes.files[".decomposition.json"]
    means = [np.concatenate([Session(m, threads=1).run(r)["y"] for r in ROWS]).mean(axis=0) for m in (before, after)]
    np.testing.assert_allclose(means[1], means[0], atol=1e-4)


def test_a_bias_that_differs_from_row_to_row_is_left_as_it_is() -> None:
    before = graph("y = Gemm<transB = 1>(x, w, b)", x="float[40,32] x", y="float[40,48] y", w=WEIGHT, b=numbers(40, 48))
    after, notes = apply(DECOMPOSE, before, data=ROWS, policy="ranks", ranks=["y: 32"])
    assert '"new_bias": false' in notes.files[".decomposition.json"]
    found, truth = (Session(model, threads=1).run(ROWS[0])["y"] for model in (after, before))
    np.testing.assert_allclose(found, truth, atol=1e-4)


def test_half_precision_stays_half() -> None:
    body = "h = Cast<to = 10>(x) g = Gemm<transB = 1>(h, w, b) y = Cast<to = 1>(g)"
    half = {"w": WEIGHT.astype(np.float16), "b": numbers(48).astype(np.float16)}
    before = graph(body, x="float[N,32] x", y="float[N,48] y", **half)
    after, _ = apply(DECOMPOSE, before, data=ROWS, policy="ranks", ranks=["g: 32"])
    assert {str(value.dtype) for value in after.graph.initializers.values()} == {"FLOAT16"}
    found, truth = (Session(model, threads=1).run(ROWS[0])["y"] for model in (after, before))
    np.testing.assert_allclose(found, truth, atol=0.05)


def test_a_name_that_is_taken() -> None:
    before = graph("a = Relu(x) y = MatMul(a, w)", x="float[N,32] x", y="float[N,48] y", w=WEIGHT.T.copy())
    before.graph[0].name = "y/decom_first"
    with pytest.raises(UnsupportedModel, match="the model already has something called 'y/decom_first'; rename it"):
        apply(DECOMPOSE, before, policy="ranks", ranks=["y: 8"])

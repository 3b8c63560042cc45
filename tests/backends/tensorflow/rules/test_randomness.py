"""Random numbers have the distribution that is asked for; Dropout does nothing unless it is told to train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

X = np.random.default_rng(0).uniform(1, 2, (40, 50)).astype(np.float32)


def test_normal(emitted: Emitted):
    node = "RandomNormal<shape = [200, 100], mean = 2.0, scale = 0.5, seed = 1.0, dtype = 11>()"
    drawn = emitted(f"agraph () => (double[a,b] y) {{ y = {node} }}")()
    assert drawn.dtype == np.float64 and drawn.shape == (200, 100)
    assert abs(drawn.mean() - 2) < 0.02 and abs(drawn.std() - 0.5) < 0.02


def test_uniform_like(emitted: Emitted):
    node = "RandomUniformLike<low = -1.0, high = 3.0, seed = 1.0>(x)"
    drawn = emitted(f"agraph (float[a,b] x) => (float[a,b] y) {{ y = {node} }}")(X)
    assert drawn.shape == X.shape and -1 <= drawn.min() < -0.9 and 2.9 < drawn.max() <= 3


def test_a_seed_repeats(emitted: Emitted):
    text = "agraph () => (float[9] y) { y = RandomUniform<shape = [9], seed = 0.0>() }"
    np.testing.assert_array_equal(emitted(text)(), emitted(text)())


def test_bernoulli_and_multinomial(emitted: Emitted):
    flip = emitted("agraph (float[n] x) => (int32[n] y) { y = Bernoulli<dtype = 6, seed = 2.0>(x) }")
    drawn = flip(np.repeat(np.array([0, 0.25, 1], np.float32), 4000))
    assert drawn[:4000].max() == 0 and drawn[8000:].min() == 1 and abs(drawn[4000:8000].mean() - 0.25) < 0.03
    draw = emitted("agraph (float[1,3] x) => (int64[1,n] y) { y = Multinomial<sample_size = 4000, dtype = 7>(x) }")
    counts = np.bincount(draw(np.log(np.array([[0.1, 0.6, 0.3]], np.float32)))[0], minlength=3)
    np.testing.assert_allclose(counts / 4000, [0.1, 0.6, 0.3], atol=0.05)


def test_dropout_is_the_input(agree: Agree):
    text = "agraph (float[a,b] x) => (float[a,b] y, bool[a,b] kept) { d, kept = Dropout(x) y = Neg(d) }"
    assert "SelectV2" not in agree(text, {"x": X})
    old = '<ir_version: 7, opset_import: ["" : 11]> agraph (float[a,b] x) => (float[a,b] y) { %s }'
    assert agree(old % "d = Dropout<ratio = 0.3>(x) y = Neg(d)", {"x": X}) == ["Placeholder", "Neg"]


@pytest.mark.parametrize("told", [True, False])
def test_dropout_may_be_told_to_train_when_the_model_runs(run_tensorflow: Any, told: bool):
    from onnxpress.testing import model

    text = """agraph (float[a,b] x, float ratio, bool training) => (float[a,b] y, bool[a,b] kept)
        { y, kept = Dropout<seed = 3>(x, ratio, training) }"""
    results = run_tensorflow(model(text), {"x": X, "ratio": np.float32(0.25), "training": told})
    expected = np.where(results["kept"], X / np.float32(0.75), 0) if told else X
    np.testing.assert_allclose(results["y"], expected, rtol=1e-6)
    assert abs(results["kept"].mean() - (0.75 if told else 1)) < 0.05

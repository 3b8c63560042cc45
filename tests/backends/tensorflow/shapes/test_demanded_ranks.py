"""A rank that no inference finds is the one that the operator takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnxpress.testing import model

Agree = Callable[..., list[str]]

SQUEEZED = """z = Constant<value_int = 0>() one = Constant<value_int = 1>() axes = Constant<value_ints = [0]>()
    s = Shape(x) size = Gather(s, z) alone = Equal(size, one)
    q = If (alone) <then_branch = yes () => (a) { a = Squeeze(x, axes) },
                    else_branch = no () => (b) { b = Identity(x) }>"""
"""``q = x.squeeze(0)`` as PyTorch writes it: of x or of x without its first axis."""


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_a_convolution_takes_the_rank_of_its_weights(agree: Agree) -> None:
    text = f"agraph (float[B,C,L] x, float[2,3,2] w) => (float[N,2,M] y) {{ {SQUEEZED} r = Relu(q) y = Conv(r, w) }}"
    agree(text, {"x": normal(2, 3, 5), "w": normal(2, 3, 2)})


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_take_three_axes(agree: Agree, operator: str, gates: int) -> None:
    text = f"""agraph (float[B,C,L] x, float[1,{2 * gates},3] w, float[1,{2 * gates},2] r) => (float[S,1,N,2] y) {{
        {SQUEEZED} y = {operator}<hidden_size = 2>(q, w, r) }}"""
    agree(text, {"x": normal(2, 4, 3), "w": normal(1, 2 * gates, 3), "r": normal(1, 2 * gates, 2)})


def test_a_gemm_takes_matrices(agree: Agree) -> None:
    text = f"agraph (float[B,C,L] x, float[3,2] w) => (float[M,2] y) {{ {SQUEEZED} y = Gemm(q, w) }}"
    agree(model(text), {"x": normal(1, 4, 3), "w": normal(3, 2)})

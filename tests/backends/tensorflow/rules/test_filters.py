"""Windows and mel filters, sizes known and computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
def test_windows(agree: Agree, op: str, periodic: int):
    agree(f"agraph (int64 n) => (float[k] y) {{ y = {op}<periodic = {periodic}>(n) }}", {"n": np.array(11)})
    text = (
        f"agraph () => (double[k] y) <int64 n = {{9}}> {{ y = {op}<periodic = {periodic}, output_datatype = 11>(n) }}"
    )
    assert agree(text, {}) == ["Const", "Identity"]


def test_mel_weights(agree: Agree):
    text = """agraph (int64 n, int64 m, int64 r, float l, float h) => (float[i,k] y) {
        y = MelWeightMatrix(n, m, r, l, h) }"""
    for filters, points, low, high in ((8, 64, 0.0, 4000.0), (20, 32, 20.0, 3800.0)):
        feeds = {"n": np.array(filters), "m": np.array(points), "r": np.array(8192)}
        agree(text, {**feeds, "l": np.array(low, np.float32), "h": np.array(high, np.float32)})

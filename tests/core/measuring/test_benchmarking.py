from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress.measuring.benchmarking import benchmark, saturation_warning
from onnxpress.testing import model

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(8, 8, 3, 3)).astype(np.float32)
FEEDS = {"x": RNG.normal(size=(2, 8, 6, 6)).astype(np.float32)}
FLOAT = model(
    "g (float[N,8,6,6] x, float[8,8,3,3] w) => (float[N,8,6,6] y) { c = Conv<pads=[1,1,1,1]>(x, w) y = Relu(c) }",
    w=WEIGHT,
)
QDQ = model(
    """g (float[N,8,6,6] image, int8[8,8,3,3] w) => (float[N,8,6,6] y)
    <float s = {0.05}, uint8 z = {128}, uint8 zero = {0}, float ws = {0.02}, int8 wz = {0}> {
        xq = QuantizeLinear(image, s, z) xd = DequantizeLinear(xq, s, z) wd = DequantizeLinear(w, ws, wz)
        c = Conv<pads=[1,1,1,1]>(xd, wd) r = Relu(c) q = QuantizeLinear(r, s, zero) d = DequantizeLinear(q, s, zero)
        y = Tanh(d)
    }""",
    w=np.round(WEIGHT / 0.02).clip(-127, 127).astype(np.int8),
)


def test_two_models_in_turns() -> None:
    found = benchmark(FLOAT, QDQ, feeds=FEEDS, runs=4)
    assert (found.threads, found.batch, found.runs) == (1, 2, 4)
    assert found.b is not None
    assert found.ratio == found.a.median_ms / found.b.median_ms
    assert 0 < found.a.minimum_ms <= found.a.median_ms
    assert found.kernels_a.counts["integer"] == 0
    assert found.kernels_a.float_nodes == (), "float is no news in a float model"
    assert found.kernels_b is not None
    assert found.kernels_b.operators["QLinearConv"] == 1
    assert found.kernels_b.counts["convert"] == 2
    (node,) = found.kernels_b.float_nodes
    assert (node.op_type, node.reason) == ("Tanh", "onnxruntime has no int8 kernel for Tanh")
    assert found.kernels_b.macs["integer"] == 2 * 8 * 36 * 72
    assert sum(found.kernels_b.milliseconds.values()) == pytest.approx(found.b.median_ms)
    assert set(found.kernels_b.milliseconds) == {"integer", "float", "convert", "other"}


def test_one_model() -> None:
    found = benchmark(FLOAT, feeds=FEEDS, runs=2, threads=2)
    assert (found.b, found.ratio, found.kernels_b, found.explanation) == (None, None, None, ())
    assert found.threads == 2


def test_weights_alone_make_a_quantised_model() -> None:
    stored = model(
        """g (float[N,8,6,6] x, int8[8,8,3,3] w) => (float[N,8,6,6] y) <float s = {0.02}, int8 z = {0}>
        { d = DequantizeLinear(w, s, z) c = Conv<pads=[1,1,1,1]>(x, d) y = Relu(c) }""",
        w=np.round(WEIGHT / 0.02).clip(-127, 127).astype(np.int8),
    )
    found = benchmark(stored, feeds=FEEDS, runs=2)
    assert [node.op_type for node in found.kernels_a.float_nodes] == ["FusedConv"]


def test_runs_are_chosen_when_not_given(monkeypatch) -> None:
    monkeypatch.setattr("onnxpress.measuring.benchmarking._SECONDS", 0.0)
    assert benchmark(FLOAT, feeds=FEEDS).runs == 10


@pytest.mark.parametrize(
    ("flags", "warns"), [("fpu avx2", True), ("fpu avx2 avx512_vnni", False), ("avx2 avx_vnni", False), ("neon", False)]
)
def test_saturation_is_warned_of_on_x86_without_vnni(tmp_path: Path, flags: str, warns: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: {flags}\n")
    warnings = saturation_warning(tmp_path / "cpuinfo")
    assert bool(warnings) == warns
    assert all(
        line.startswith("this processor has no VNNI: onnxruntime sums int8 products in 16 bits") for line in warnings
    )


def test_no_warning_where_the_processor_is_unknown(tmp_path: Path) -> None:
    assert saturation_warning(tmp_path / "absent") == ()

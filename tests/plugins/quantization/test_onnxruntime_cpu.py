"""Every rule of the target against onnxruntime: its integer kernel runs, and nothing float beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import calibrated, feeds, graph, numbers, quantised, runtime_ops
from onnxpress.runtime import Session
from onnxpress.testing import apply
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ

CONV = {"w": numbers(4, 4, 1, 1, seed=2), "v": numbers(4, 4, 1, 1, seed=3), "b": numbers(4, seed=4)}
DENSE = {"w": numbers(4, 4, seed=2), "v": numbers(4, 4, seed=3), "b": numbers(4, seed=4)}


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def sandwich(op: str, v: tuple[int, ...] = (4, 4, 1, 1), **constants: Any) -> ir.Model:
    """An operator between two convolutions."""
    body = f"a = Conv(x, w, b) {op} y = Conv(m, v)"
    return graph(body, y="float[N,C,H,W] y", **{**CONV, "v": numbers(*v, seed=3)}, **constants)


NEAREST = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
SANDWICHES: dict[str, tuple[ir.Model, str]] = {
    "Add": (sandwich("c = Conv(x, v) m = Add(a, c)"), "QLinearAdd"),
    "Add constant": (sandwich("m = Add(a, k)", k=numbers(4, 1, 1)), "QLinearAdd"),
    "Mul scalar": (sandwich("m = Mul(a, k)", k=np.array(0.5, np.float32)), "QLinearMul"),
    "Add Relu": (sandwich("c = Conv(x, v) s = Add(a, c) m = Relu(s)"), "QLinearAdd"),
    "Mul": (sandwich("g = GlobalAveragePool(a) s = Sigmoid(g) m = Mul(a, s)"), "QLinearMul"),
    "Sigmoid": (sandwich("g = Sigmoid(a) m = Mul(a, g)"), "QLinearSigmoid"),
    "Concat": (sandwich("c = Conv(x, v) m = Concat<axis = 2>(a, c)"), "QLinearConcat"),
    "AveragePool": (sandwich("m = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(a)"), "QLinearAveragePool"),
    "GlobalAveragePool": (sandwich("m = GlobalAveragePool(a)"), "QLinearGlobalAveragePool"),
    "LeakyRelu": (sandwich("m = LeakyRelu<alpha = 0.1>(a)"), "QLinearLeakyRelu"),
    "Softmax": (sandwich("m = Softmax<axis = 1>(a)"), "QLinearSoftmax"),
    "MaxPool": (sandwich("m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)"), "NhwcMaxPool"),
    "DepthToSpace": (sandwich("m = DepthToSpace<blocksize = 2>(a)", v=(4, 1, 1, 1)), "DepthToSpace"),
    "Flatten": (sandwich("f = Flatten<axis = 2>(a) m = Reshape(f, s)", s=ints(-1, 4, 8, 8)), "Flatten"),
    "Expand": (sandwich("g = GlobalAveragePool(a) m = Expand(g, s)", s=ints(1, 1, 2, 2)), "Expand"),
    "Gather": (sandwich("m = Gather<axis = 2>(a, i)", i=ints(0, 3)), "Gather"),
    "ReduceMax": (sandwich("m = ReduceMax<axes = [2]>(a)"), "ReduceMax"),
    "Reshape": (sandwich("m = Reshape(a, s)", s=ints(0, 4, 4, 16)), "Reshape"),
    "Slice": (sandwich("m = Slice(a, i, j, k)", i=ints(1), j=ints(5), k=ints(2)), "Slice"),
    "Split": (sandwich("c, d = Split<axis = 2>(a) m = Concat<axis = 2>(d, c)"), "Split"),
    "Squeeze": (
        sandwich("g = GlobalAveragePool(a) q = Squeeze(g, i) m = Unsqueeze(q, i)", i=ints(2, 3)),
        "QLinearGlobalAveragePool",
    ),
    "Unsqueeze": (sandwich("q = Unsqueeze(a, i) m = Reshape(q, s)", i=ints(1), s=ints(0, 4, 4, 16)), "Reshape"),
    "Tile": (sandwich("m = Tile(a, i)", i=ints(1, 1, 2, 1)), "Tile"),
    "Transpose": (sandwich("m = Transpose<perm = [0, 1, 3, 2]>(a)"), "Transpose"),
    "Resize": (sandwich(f"m = Resize<{NEAREST}>(a, , i)", i=np.array([1, 1, 2, 2], np.float32)), "Resize"),
}
OTHERS: dict[str, tuple[ir.Model, str]] = {
    "Conv": (graph("y = Conv(x, w, b)", y="float[N,C,H,W] y", **CONV), "QLinearConv"),
    "Conv Relu": (graph("c = Conv(x, w, b) y = Relu(c)", y="float[N,C,H,W] y", **CONV), "QLinearConv"),
    "Conv Clip": (
        graph("c = Conv(x, w, b) y = Clip(c, l, h)", y="float[N,C,H,W] y", l=np.float32(0), h=np.float32(1.5), **CONV),
        "QLinearConv",
    ),
    "Conv depthwise": (
        graph("y = Conv<group = 4>(x, w, b)", y="float[N,C,H,W] y", w=numbers(4, 1, 3, 3), b=numbers(4)),
        "QLinearConv",
    ),
    "Conv 1-D": (
        graph("y = Conv(x, w)", x="float[N,4,8] x", y="float[N,C,L] y", w=numbers(4, 4, 3)),
        "QLinearConv",
    ),
    "Gemm": (graph("y = Gemm(x, w, b)", x="float[N,4] x", y="float[N,C] y", **DENSE), "QGemm"),
    "Gemm without bias": (graph("y = Gemm(x, w)", x="float[N,4] x", y="float[N,C] y", **DENSE), "QGemm"),
    "Gemm transposed": (
        graph("h = Gemm<transB = 1>(x, w, b) r = Relu(h) y = Gemm(r, v)", x="float[N,4] x", y="float[N,C] y", **DENSE),
        "QGemm",
    ),
    "MatMul": (graph("y = MatMul(x, w)", x="float[N,3,4] x", y="float[A,B,C] y", **DENSE), "MatMulIntegerToFloat"),
    "MatMul MatMul": (
        graph("h = MatMul(x, w) y = MatMul(h, v)", x="float[N,3,4] x", y="float[A,B,C] y", **DENSE),
        "QLinearMatMul",
    ),
    "MatMul of activations": (
        graph("t = Transpose<perm = [0, 2, 1]>(x) y = MatMul(x, t)", x="float[N,3,4] x", y="float[A,B,C] y"),
        "MatMulIntegerToFloat",
    ),
}
CASES = {**SANDWICHES, **OTHERS}


def test_every_rule_has_a_case() -> None:
    assert {rule.op_type for rule in ONNXRUNTIME_CPU.rules} == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_runs_it_in_integers(case: str) -> None:
    made, kernel = CASES[case]
    after = quantised(made.clone())
    found = runtime_ops(after)
    assert found[kernel] >= 1, found
    assert found["QuantizeLinear"] == 1, found
    assert found["DequantizeLinear"] == (0 if case.startswith(("Gemm", "MatMul")) else 1), found
    assert not set(found) & FLOAT, found


FLOAT = {"Add", "AveragePool", "Clip", "Concat", "Conv", "Gemm", "GlobalAveragePool", "LeakyRelu", "MatMul", "Mul"}
FLOAT |= {"FusedConv", "FusedGemm", "FusedMatMul", "Relu", "Sigmoid", "Softmax"}


@pytest.mark.parametrize("case", CASES)
def test_its_integer_kernels_compute_what_the_qdq_graph_says(case: str) -> None:
    made, _ = CASES[case]
    after = quantised(made.clone())
    inputs = feeds(after)
    plain, fused = Session(after, threads=1).run(inputs), Session(after, optimize=True, threads=1).run(inputs)
    exact = Session(made, threads=1).run(inputs)
    for name, value in plain.items():
        spread = float(np.ptp(exact[name]))
        np.testing.assert_allclose(fused[name], value, atol=0.012 * spread)
        np.testing.assert_allclose(value, exact[name], atol=0.08 * spread)


STAY_FLOAT = {
    "Tanh": "m = Tanh(a)",
    "HardSwish": "m = HardSwish(a)",
    "Sub": "c = Conv(x, v) m = Sub(a, c)",
    "PRelu": "m = PRelu(a, k)",
    "Resize": 'm = Resize<mode = "linear">(a, , i)',
}
CONSTANTS = {"PRelu": {"k": numbers(4, 1, 1)}, "Resize": {"i": np.array([1, 1, 2, 2], np.float32)}}


@pytest.mark.parametrize("op", STAY_FLOAT)
def test_what_has_no_integer_kernel_stays_float_with_the_reason(op: str) -> None:
    made = sandwich(STAY_FLOAT[op], **CONSTANTS.get(op, {}))
    after, notes = apply(INSERT_QDQ, calibrated(made))
    assert [item.op_type for item in notes.declined] == [op]
    assert "no integer kernel for" in notes.declined[0].reason
    assert runtime_ops(after)["QLinearConv"] == runtime_ops(made)["Conv"] + runtime_ops(made)["FusedConv"]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("activation", ["", "Relu"])
def test_a_float_convolution_between_integer_ones_keeps_its_float_weights(op: str, activation: str) -> None:
    middle = f"m = {op}(a, u)" if not activation else f"e = {op}(a, u) m = Relu(e)"
    made = sandwich(
        middle, u=numbers(4, 4, 1, 1, seed=9) * np.array([1, 0.01, 1, 0.01], np.float32).reshape(4, 1, 1, 1)
    )
    excluded = {"exclude_nodes": ["e" if activation else "m"]}
    after, notes = apply(INSERT_QDQ, calibrated(made, **excluded), **excluded)
    assert notes.counts["float nodes guarded from the runtime's own quantisation"] == 1
    found = runtime_ops(after)
    assert found["QLinearConv"] == 2 and found[op] + found[f"Fused{op}"] == 1
    plain, fused = (Session(after, optimize=o, threads=1).run(feeds(made))["y"] for o in (False, True))
    np.testing.assert_allclose(fused, plain, atol=0.012 * float(np.ptp(plain)))


def test_a_dilated_average_pool_is_declined() -> None:
    body = "a = Conv(x, w, b) y = AveragePool<kernel_shape = [2, 2], dilations = [2, 2]>(a)"
    after, notes = apply(INSERT_QDQ, calibrated(graph(body, y="float[N,C,H,W] y", opset=19, **CONV)))
    assert [(item.op_type, item.reason) for item in notes.declined] == [
        ("AveragePool", "its dilations is (2, 2), and onnxruntime-cpu has no integer kernel for that")
    ]
    assert runtime_ops(after)["QLinearConv"] == 1

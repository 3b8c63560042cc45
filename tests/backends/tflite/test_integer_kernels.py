"""Every rule of the target ``tflite`` against the converter: its integer kernel is there, and nothing float with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrated import feeds, graph, numbers
from onnxpress.runtime import Session
from onnxpress.workflow import compress
from onnxpress_plugins.quantization.tflite import TFLITE
from saved_models import Written
from tflite_files import operators, run

KERNELS = {"w": numbers(4, 4, 1, 1, seed=2), "v": numbers(4, 4, 1, 1, seed=3), "b": numbers(4, seed=4)}
DENSE = {"w": numbers(4, 6, seed=2), "v": numbers(6, 4, seed=3), "b": numbers(6, seed=4)}


def sandwich(op: str, **constants: Any) -> Any:
    """An operator between two convolutions."""
    return graph(f"a = Conv(x, w, b) {op} y = Conv(m, v)", y="float[N,C,H,W] y", **KERNELS, **constants)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


CASES = {
    "Conv": (graph("y = Conv(x, w, b)", y="float[N,4,8,8] y", **KERNELS), "CONV_2D"),
    "Conv Relu": (sandwich("m = Relu(a)"), "CONV_2D"),
    "Gemm": (graph("y = Gemm(x, w, b)", x="float[N,4] x", y="float[N,6] y", **DENSE), "CONV_2D"),
    "Gemm transposed": (
        graph("h = Gemm<transB = 1>(x, v, b) r = Relu(h) y = Gemm<transB = 1>(r, w)", x="float[N,4] x",
              y="float[N,4] y", **DENSE), "CONV_2D"),
    "MatMul of rows": (
        graph("h = MatMul(x, w) y = MatMul(h, v)", x="float[N,3,4] x", y="float[N,3,4] y", **DENSE), "CONV_2D"),
    "MatMul of activations": (
        graph("t = Transpose<perm = [0, 2, 1]>(x) y = MatMul(x, t)", x="float[N,3,4] x", y="float[N,3,3] y"),
        "BATCH_MATMUL"),
    "Add": (sandwich("c = Conv(x, v) m = Add(a, c)"), "ADD"),
    "Mul": (sandwich("g = GlobalAveragePool(a) m = Mul(a, g)"), "MUL"),
    "Concat": (sandwich("c = Conv(x, v) k = Concat<axis = 2>(a, c) m = Relu(k)"), "CONCATENATION"),
    "AveragePool": (sandwich("m = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(a)"), "AVERAGE_POOL_2D"),
    "GlobalAveragePool": (sandwich("m = GlobalAveragePool(a)"), "MEAN"),
    "ReduceMean": (sandwich("m = ReduceMean<axes = [2], keepdims = 1>(a)"), "MEAN"),
    "MaxPool": (sandwich("m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)"), "MAX_POOL_2D"),
    "Flatten": (sandwich("f = Flatten<axis = 2>(a) m = Reshape(f, s)", s=ints(-1, 4, 8, 8)), "CONV_2D"),
    "Reshape": (sandwich("m = Reshape(a, s)", s=ints(0, 4, 4, 16)), "RESHAPE"),
    "Slice": (sandwich("m = Slice(a, i, j, k)", i=ints(1), j=ints(5), k=ints(2)), "STRIDED_SLICE"),
    "Squeeze": (sandwich("g = GlobalAveragePool(a) q = Squeeze(g, i) m = Unsqueeze(q, i)", i=ints(2, 3)), "MEAN"),
    "Unsqueeze": (sandwich("q = Unsqueeze(a, i) m = Reshape(q, s)", i=ints(1), s=ints(0, 4, 4, 16)), "RESHAPE"),
    "Transpose": (sandwich("m = Transpose<perm = [0, 1, 3, 2]>(a)"), "TRANSPOSE"),
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert {rule.op_type for rule in TFLITE.rules} == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_tflite_runs_it_in_integers(case: str, written: Written) -> None:
    made, kernel = CASES[case]
    inputs = feeds(made, batch=1)
    calibration = {
        name: np.concatenate([array, *feeds(made, batch=7, seed=2).values()]) for name, array in inputs.items()
    }
    quantized = compress(made.clone(), recipe="int8", target="tflite", data=calibration).model
    path = written(quantized, integer_io=True)
    found = operators(path)
    assert found[kernel, "int8"] >= 1, found
    assert {dtype for _, dtype in found} == {"int8"}, found
    expected = Session(quantized).run(inputs)["y"]
    spread = float(np.ptp(Session(made).run(inputs)["y"]))
    np.testing.assert_allclose(run(path, **inputs)["y"], expected, rtol=0, atol=0.03 * spread)

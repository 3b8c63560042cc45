"""Constants in 8 bits: TensorFlow reads them as the rule says, our own reader as the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from frozen_graphs import FrozenGraph
from onnxpress import convert
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
from onnxpress_backends.tensorflow.quantization.weight_quantization import ends, quantized

Run = Callable[..., dict[str, Any]]

GENERATOR = np.random.default_rng(0)
KERNEL = GENERATOR.normal(size=(32, 8, 3, 3)).astype(np.float32)
BIAS = GENERATOR.normal(size=32).astype(np.float32)
MATRIX = GENERATOR.uniform(0.5, 1, (32, 32)).astype(np.float32)
X = GENERATOR.normal(size=(2, 8, 9, 9)).astype(np.float32)


def network(**changed: Any) -> ir.Model:
    text = """g (float[2,8,9,9] x, float[32,8,3,3] kernel, float[32] bias, float[32,32] matrix) => (float[2,32] y) {
        c = Conv(x, kernel, bias) r = Relu(c) p = GlobalAveragePool(r) f = Flatten(p) y = MatMul(f, matrix) }"""
    return parse(text, **{"kernel": KERNEL, "bias": BIAS, "matrix": MATRIX, **changed})


def read_back(numbers: Any) -> Any:
    """What Dequantize makes of the bytes, in float64."""
    low, high = ends(numbers)
    scale = 255 / (high - low)
    return quantized(numbers, low, high) / scale + np.round(low * scale) / scale


def test_large_constants_become_bytes_under_their_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    TENSORFLOW_PB.emit(network(), path, mode="quantize-weights")
    nodes = {node.name: node for node in FrozenGraph(path).graph.as_graph_def().node}
    assert Counter(node.op for node in nodes.values())["Dequantize"] == 2
    for name in ("kernel", "matrix"):
        node = nodes[name]
        assert (node.op, node.attr["mode"].s) == ("Dequantize", b"MIN_FIRST")
        assert list(node.input) == [f"{name}_quantized_{what}" for what in ("const", "min", "max")]
        assert all(nodes[each].op == "Const" for each in node.input)
    assert nodes["bias"].op == "Const"
    kernel = nodes["kernel_quantized_const"].attr["value"].tensor
    assert [dim.size for dim in kernel.tensor_shape.dim] == [3, 3, 8, 32]
    expected = quantized(KERNEL.transpose(2, 3, 1, 0), *ends(KERNEL))
    assert kernel.tensor_content == expected.tobytes()


def test_tensorflow_computes_with_the_numbers_of_the_rule(run_tensorflow: Run) -> None:
    (actual,) = run_tensorflow(network(), {"x": X}, mode="quantize-weights").values()
    weights = {"kernel": read_back(KERNEL).astype(np.float32), "matrix": read_back(MATRIX).astype(np.float32)}
    (expected,) = Session(network(**weights)).run({"x": X}).values()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    (original,) = Session(network()).run({"x": X}).values()
    assert np.abs(actual - original).max() > 1e-4 * np.abs(original).max()


def test_our_own_reader_finds_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    TENSORFLOW_PB.emit(network(), path, mode="quantize-weights")
    model = convert(path).model
    constants = [value.const_value for value in model.graph.initializers.values()]
    integers = [each.numpy() for each in constants if each is not None and each.dtype == ir.DataType.UINT8]
    large = sorted((array for array in integers if array.size >= 1024), key=lambda array: array.size)
    assert [array.size for array in large] == [MATRIX.size, KERNEL.size]
    for array, source in zip(large, (MATRIX, KERNEL), strict=True):
        np.testing.assert_array_equal(np.sort(array.reshape(-1)), np.sort(quantized(source, *ends(source)).reshape(-1)))
    (actual,) = Session(model).run({"x": X}).values()
    (expected,) = FrozenGraph(path).run({"x": X}, ["y"])
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_what_is_small_or_not_finite_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    broken = MATRIX.copy()
    broken[0, 0] = np.inf
    small = KERNEL[:, :3].copy()
    text = """g (float[2,3,9,9] x, float[32,3,3,3] kernel, float[32,32] matrix) => (float[2,32] y) {
        c = Conv(x, kernel) p = GlobalAveragePool(c) f = Flatten(p) y = MatMul(f, matrix) }"""
    TENSORFLOW_PB.emit(parse(text, kernel=small, matrix=broken), path, mode="quantize-weights")
    assert "Dequantize" not in FrozenGraph(path).ops()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([0.0, 0.0], (0, 1)), ([2.0, 3.0], (0, 3)), ([-3.0, -2.0], (-3, 0)), ([-1.0, 4.0], (-1, 4))],
)
def test_the_range_holds_zero(numbers: list[float], expected: tuple[float, float]) -> None:
    assert ends(np.array(numbers, np.float32)) == expected


@given(arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1000, 1000, width=32)))
def test_no_number_moves_by_more_than_a_step(numbers: Any) -> None:
    low, high = ends(numbers)
    step = (high - low) / 255
    assert np.abs(read_back(numbers) - numbers).max() <= 1.0001 * step

"""DFT and STFT against numpy and onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from one_node import case, normal
from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

RunTensorFlow = Callable[..., dict[str, Any]]


def complex_(array: Any) -> Any:
    return array[..., 0] + 1j * array[..., 1] if array.shape[-1] == 2 else array[..., 0]


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("length", [None, 3, 8])
@pytest.mark.parametrize("opset", [17, 20])
def test_dft(run_tensorflow: RunTensorFlow, axis: int, components: int, length: int | None, opset: int):
    x = normal(4, 5, components)
    place = axis % 3
    for inverse in (0, 1):
        inputs = {"x": x, "n": None if length is None else np.array(length)}
        constants = ["n"] * (length is not None and not inverse)
        if opset == 20:
            node = case("DFT", inputs | {"axis": np.array(axis)}, constants=constants, opset=20, inverse=inverse)
        else:
            node = case("DFT", inputs, constants=constants, opset=17, inverse=inverse, axis=axis)
        expected = (np.fft.ifft if inverse else np.fft.fft)(complex_(x), n=length, axis=place)
        result = run_tensorflow(node.model, node.feeds)["y0"]
        np.testing.assert_allclose(complex_(result), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_one_sided_dft_and_back(run_tensorflow: RunTensorFlow, dtype: str):
    x = normal(2, 6, 3, 1).astype(dtype)
    kind = {"float32": "float", "float64": "double", "float16": "float16"}[dtype]
    for size in ("6", "n"):
        text = f"agraph ({kind}[2,{size},3,1] x) => ({kind}[2,m,3,2] y) {{ y = DFT<axis = 1, onesided = 1>(x) }}"
        spectrum = run_tensorflow(model(text), {"x": x})["y"]
        assert spectrum.shape == (2, 4, 3, 2)
        assert spectrum.dtype == x.dtype
        tolerance = 1e-2 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(complex_(spectrum), np.fft.rfft(x[..., 0], axis=1), rtol=tolerance, atol=tolerance)
        text = text.replace("3,1]", "3,2]").replace("onesided", "inverse = 1, onesided").replace("[2,6", "[2,4")
        parsed = model(text.replace("[2,m,3,2]", "[2,m,3,1]"))
        result = run_tensorflow(parsed, {"x": spectrum})["y"]
        np.testing.assert_allclose(result, x, rtol=tolerance, atol=tolerance)


def test_one_sided_dft_of_more_points(run_tensorflow: RunTensorFlow):
    x = normal(2, 6, 1)
    for length in (4, 9):
        node = case("DFT", {"x": x, "n": np.array(length)}, opset=17, axis=1, onesided=1)
        result = complex_(run_tensorflow(node.model, node.feeds)["y0"])
        expected = np.fft.fft(complex_(x), n=length, axis=1)[:, : length // 2 + 1]
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_numbers_that_may_be_real_or_complex_are_refused(run_tensorflow: RunTensorFlow):
    parsed = model("agraph (float[2,6,n] x) => (float[2,6,2] y) { y = DFT<axis = 1>(x) }")
    with pytest.raises(UnsupportedModel, match="the last size must be known: 1 for real numbers, 2 for complex ones"):
        run_tensorflow(parsed, {"x": normal(2, 6, 1)})


@pytest.mark.parametrize("onesided", [0, 1])
def test_stft(agree: Callable[..., list[str]], onesided: int):
    x = normal(2, 40, 1)
    window = np.hanning(16).astype(np.float32)
    with pytest.raises(UnsupportedModel, match="a one-sided transform is one of real numbers"):
        agree(case("STFT", {"x": normal(2, 40, 2), "s": np.array(5), "w": window}, opset=17).model, {})
    for inputs in ({"w": window, "n": None}, {"w": window, "n": np.array(16)}, {"w": None, "n": np.array(16)}):
        node = case("STFT", {"x": x, "s": np.array(5), **inputs}, constants=["s"], opset=17, onesided=onesided)
        agree(node.model, node.feeds, rtol=1e-4, atol=1e-5)

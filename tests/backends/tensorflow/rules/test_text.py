"""Text against onnxruntime; TensorFlow's is bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model

RunTensorFlow = Callable[..., dict[str, Any]]
TWENTY = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 4]>'


def same(run_tensorflow: RunTensorFlow, text: str, feeds: dict[str, Any]) -> None:
    parsed = model(f"{TWENTY} {text}")
    actual = run_tensorflow(
        parsed,
        {
            name: np.char.encode(each.astype(str)).astype(object) if each.dtype == object else each
            for name, each in feeds.items()
        },
    )
    for name, array in Session(parsed).run(feeds).items():
        found = np.asarray(actual[name])
        if found.dtype == object:
            found = np.array([item.decode() for item in found.flat], object).reshape(found.shape)
        assert found.shape == array.shape
        assert found.tolist() == array.tolist()


def words(*items: Any) -> Any:
    return np.array(items, object)


def test_string_concat(run_tensorflow: RunTensorFlow):
    text = "agraph (string[2] x, string[n] z) => (string[2] y) { y = StringConcat(x, z) }"
    same(run_tensorflow, text, {"x": words("a", "ä"), "z": words("b", "")})
    same(run_tensorflow, text, {"x": words("a", "ä"), "z": words("!")})


def test_regex_full_match(run_tensorflow: RunTensorFlow):
    text = 'agraph (string[3] x) => (bool[3] y) { y = RegexFullMatch<pattern = "a+b">(x) }'
    same(run_tensorflow, text, {"x": words("aab", "aabc", "b")})


@pytest.mark.parametrize("attributes", ["", '<delimiter = ",">', "<maxsplit = 1>", '<delimiter = "ab", maxsplit = 2>'])
def test_string_split(run_tensorflow: RunTensorFlow, attributes: str):
    text = f"agraph (string[2,n] x) => (string[2,n,k] y, int64[2,n] c) {{ y, c = StringSplit{attributes}(x) }}"
    same(run_tensorflow, text, {"x": words(["one  two three", "a,b,,c"], ["abxab", " lone "])})


@pytest.mark.parametrize("action", ["NONE", "LOWER", "UPPER"])
@pytest.mark.parametrize("stop", ["", ', stopwords = ["Monday"]'])
@pytest.mark.parametrize("sensitive", [0, 1])
def test_string_normalizer(run_tensorflow: RunTensorFlow, action: str, stop: str, sensitive: int):
    attributes = f'case_change_action = "{action}", is_case_sensitive = {sensitive}, locale = "C"{stop}'
    text = f"agraph (string[n] x) => (string[m] y) {{ y = StringNormalizer<{attributes}>(x) }}"
    same(run_tensorflow, text, {"x": words("Monday", "tuesday", "MONDAY")})
    same(run_tensorflow, text, {"x": words("Monday")})
    text = text.replace("[n]", "[1,n]").replace("[m]", "[1,m]")
    same(run_tensorflow, text, {"x": words(["Monday", "tuesday"])})


def test_label_encoder(run_tensorflow: RunTensorFlow):
    op = "ai.onnx.ml.LabelEncoder"
    text = f'agraph (string[3] x) => (int64[3] y) {{ y = {op}<keys_strings = ["a", "b"], values_int64s = [7, 8]>(x) }}'
    same(run_tensorflow, text, {"x": words("b", "?", "a")})
    strings = 'values_strings = ["a", "b"], default_string = "no"'
    text = f"agraph (int64[3] x) => (string[3] y) {{ y = {op}<keys_int64s = [1, 2], {strings}>(x) }}"
    same(run_tensorflow, text, {"x": np.array([2, 5, 1])})
    text = f"agraph (int64[3] x) => (float[3] y) {{ y = {op}<keys_int64s = [1, 2], values_floats = [0.5, 1.5]>(x) }}"
    same(run_tensorflow, text, {"x": np.array([2, 5, 1])})


def test_binarizer(run_tensorflow: RunTensorFlow):
    text = "agraph (float[3] x) => (float[3] y) { y = ai.onnx.ml.Binarizer<threshold = 0.5>(x) }"
    same(run_tensorflow, text, {"x": np.array([0.4, 0.5, 0.6], np.float32)})

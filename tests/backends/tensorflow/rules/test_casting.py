"""Casts against numpy and onnxruntime: wrapping, truth, text, bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"]


def to(kind: str, source: str, op: str = "Cast", opset: int = 17) -> str:
    number = onnx.TensorProto.DataType.Value(kind.upper())
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    return f"{header} agraph ({source}[n] x) => ({kind}[n] y) {{ y = {op}<to = {number}>(x) }}"


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_wrap(emitted: Emitted, kind: str):
    cast = emitted(to(kind, "int64"))

    @given(arrays(np.int64, 8, elements=st.integers(-(2**63), 2**63 - 1)))
    def check(x: Any) -> None:
        np.testing.assert_array_equal(cast(x), x.astype(kind))

    check()


@pytest.mark.parametrize("kind", INTEGERS)
def test_fractions_are_cut_off(emitted: Emitted, kind: str):
    cast = emitted(to(kind, "float"))
    low = 0 if kind.startswith("u") else -128

    @given(arrays(np.float32, 8, elements=st.floats(low, 127, width=32)))
    def check(x: Any) -> None:
        np.testing.assert_array_equal(cast(x), np.trunc(x).astype(kind))

    check()


def test_all_but_zero_is_true(agree: Agree):
    agree(to("bool", "float"), {"x": np.array([0.5, 0.0, -0.0, -0.1, np.nan, np.inf], "f")})
    agree(to("bool", "int32"), {"x": np.array([0, 2, -1], np.int32)})
    agree(to("float", "bool"), {"x": np.array([True, False])})


def test_floats_round_to_even_and_overflow_to_infinity(agree: Agree):
    x = np.array([1e6, 1 + 2**-11, 1 + 3 * 2**-11, -1e6, 1e-8], np.float32)
    agree(to("float16", "float"), {"x": x})


def test_text(agree: Agree, emitted: Emitted):
    words = np.array(["1.5", "-2e3", "NaN", "INF"], object)
    agree(to("float", "string"), {"x": words})
    np.testing.assert_array_equal(emitted(to("int16", "string"))(np.array(["12", "-7"], object)), [12, -7])
    spelt = emitted(to("string", "float"))(np.array([1, 0.1, -2.5, np.pi], "f"))
    assert [text.decode() for text in spelt] == ["1", "0.1", "-2.5", "3.1415927"]
    assert emitted(to("string", "int8"))(np.array([-12], np.int8)).tolist() == [b"-12"]


@pytest.mark.parametrize(("source", "kind", "reason"), [("bool", "string", "write"), ("string", "bool", "read")])
def test_truth_as_text_is_refused(run_tensorflow: Any, source: str, kind: str, reason: str):
    with pytest.raises(UnsupportedModel, match=rf"node .* \(Cast, inputs \[\?\]\): TensorFlow does not {reason} truth"):
        run_tensorflow(model(to(kind, source)), {})


def test_floats_of_8_bits_are_refused(run_tensorflow: Any):
    with pytest.raises(UnsupportedModel, match="FLOAT8E4M3FN, which TensorFlow has no operators for"):
        run_tensorflow(model(to("float8e4m3fn", "float", opset=19)), {})


def test_to_the_type_of_another_value(agree: Agree):
    text = "agraph (float[n] x, int32[m] like) => (int32[n] y) { y = CastLike(x, like) }"
    agree(text, {"x": np.array([1.9, -1.9], "f"), "like": np.array([0], np.int32)})


def test_the_type_it_has_is_nothing(agree: Agree):
    ops = agree("agraph (float[n] x) => (float[n] y) { c = Cast<to = 1>(x) y = Neg(c) }", {"x": np.ones(2, "f")})
    assert ops == ["Placeholder", "Neg"]


@pytest.mark.parametrize(("source", "kind"), [("float", "int32"), ("int8", "uint8"), ("double", "uint64")])
def test_bits_stay(emitted: Emitted, source: str, kind: str):
    dtype = {"float": "float32", "double": "float64"}.get(source, source)
    x = np.array([1, -2, 3]).astype(dtype)
    np.testing.assert_array_equal(emitted(to(kind, source, "BitCast", 26))(x), x.view(kind))


def test_a_truth_value_is_a_byte(emitted: Emitted):
    x = np.array([True, False])
    np.testing.assert_array_equal(emitted(to("uint8", "bool", "BitCast", 26))(x), [1, 0])
    np.testing.assert_array_equal(emitted(to("int8", "bool", "BitCast", 26))(x), [1, 0])
    np.testing.assert_array_equal(emitted(to("bool", "int8", "BitCast", 26))(np.array([0, 1], np.int8)), [False, True])

"""Clip with every set of ends, against onnxruntime and its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Agree = Callable[..., list[str]]
Emitted = Callable[[str], Callable[..., Any]]

X = np.linspace(-9, 9, 37).astype(np.float32)


@pytest.mark.parametrize(
    ("low", "high", "op"),
    [
        ("0.", "6.", "Relu6"),
        ("-1.", "2.", "ClipByValue"),
        ("0.", "", "Relu"),
        ("1.", "", "Maximum"),
        ("", "1.", "Minimum"),
    ],
)
def test_clip_with_ends_that_are_known(agree: Agree, low: str, high: str, op: str):
    ends = [f"{name} = Constant<value = float {{{end}}}>()" for name, end in (("a", low), ("b", high)) if end]
    inputs = f"x, {'a' if low else ''}" + (", b" if high else "")
    ops = agree(f"agraph (float[n] x) => (float[n] y) {{ {' '.join(ends)} y = Clip({inputs}) }}", {"x": X})
    assert ops[-1] == op
    attributes = ", ".join(f"{name} = {end}" for name, end in (("min", low), ("max", high)) if end)
    old = (
        f'<ir_version: 10, opset_import: ["" : 10]> agraph (float[n] x) => (float[n] y) {{ y = Clip<{attributes}>(x) }}'
    )
    assert agree(old, {"x": X})[-1] in (op, "ClipByValue")  # an end left out is the last number there is


def test_clip_without_ends_is_nothing(agree: Agree):
    assert agree("agraph (float[n] x) => (float[n] y) { c = Clip(x) y = Neg(c) }", {"x": X}) == ["Placeholder", "Neg"]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint32", "uint64", "float"])
def test_clip_is_the_smaller_of_high_and_the_larger_of_low(emitted: Emitted, kind: str):
    dtype = "float32" if kind == "float" else kind
    text = f"agraph ({kind}[n] x, {kind} low, {kind} high) => ({kind}[n] y) {{ y = Clip(x, low, high) }}"
    clip = emitted(text)
    element = st.integers(0 if kind[0] == "u" else -100, 100)

    @given(arrays(dtype, 6, elements=element), element, element)
    def check(x: Any, low: int, high: int) -> None:
        ends = np.array(low, dtype), np.array(high, dtype)
        np.testing.assert_array_equal(clip(x, *ends), np.minimum(np.maximum(x, ends[0]), ends[1]))

    check()


@pytest.mark.parametrize("kind", ["int32", "uint64"])
def test_known_ends_the_wrong_way_round_give_the_high_one(emitted: Emitted, kind: str):
    ends = f"low = Constant<value = {kind} {{5}}>() high = Constant<value = {kind} {{2}}>()"
    clip = emitted(f"agraph ({kind}[n] x) => ({kind}[n] y) {{ {ends} y = Clip(x, low, high) }}")
    np.testing.assert_array_equal(clip(np.array([1, 3, 9], kind)), [2, 2, 2])

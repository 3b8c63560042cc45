"""Constants in every spelling, fills, ranges, diagonals, one-hot vectors, shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal
from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [
        ("value = float[2] {1.5, 2}", "float[2]"),
        ("value_float = 1.5", "float"),
        ("value_floats = [1.5, 2.0]", "float[2]"),
        ("value_int = 3", "int64"),
        ("value_ints = [3, 4]", "int64[2]"),
    ],
)
def test_constant(agree: Agree, attribute: str, kind: str):
    agree(f"agraph (float[1] x) => ({kind} y, float[1] z) {{ y = Constant<{attribute}>() z = Relu(x) }}", {"x": [1.0]})


def test_text_constants(run_tensorflow: Callable[..., dict[str, Any]]):
    text = """agraph () => (string[2] y, string z)
        { y = Constant<value_strings = ["one", "zwei"]>() z = Constant<value_string = "drei">() }"""
    results = run_tensorflow(model(text), {})
    assert results["y"].tolist() == [b"one", b"zwei"]
    assert results["z"] == b"drei"


def test_sparse_constant_is_refused(run_tensorflow: Callable[..., dict[str, Any]]):
    parsed = model("agraph () => (float[2] y) { y = Constant<value_floats = [1.0, 2.0]>() }")
    attribute = parsed.graph.node(0).attributes.pop("value_floats")
    parsed.graph.node(0).attributes["sparse_value"] = attribute
    from onnxpress_backends.tensorflow.call import Call
    from onnxpress_backends.tensorflow.rules.generating import constant

    with pytest.raises(
        UnsupportedModel, match="its attribute 'sparse_value' is not supported; store the value densely"
    ):
        constant(Call(parsed.graph.node(0), None))  # type: ignore[arg-type]


def test_constant_of_shape(agree: Agree):
    text = """agraph (int64[2] s) => (int32[a,b] y, float[c,d] z) {
        y = ConstantOfShape<value = int32[1] {7}>(s) z = ConstantOfShape(s) }"""
    agree(text, {"s": np.array([2, 3])})
    agree(text, {"s": np.array([0, 3])})
    big = "agraph (float[70,80] x) => (float[70,80] y) { s = Shape(x) y = ConstantOfShape(s) }"
    assert "Fill" in agree(big, {"x": normal(70, 80)})


@FEW
@given(
    bounds=st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from([1, 2, -1, -3])),
    dtype=st.sampled_from(["int64", "int32", "int16", "float32", "float64"]),
    constants=st.sampled_from([(), ("d",), ("s", "d"), ("s", "l")]),
)
def test_range(agree: Agree, bounds: tuple[int, int, int], dtype: str, constants: tuple[str, ...]):
    numbers = [np.array(bound * (0.5 if "float" in dtype else 1), dtype) for bound in bounds]
    node = case("Range", dict(zip(["s", "l", "d"], numbers, strict=True)), constants=constants)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("unknown", [(), ("x",)])
@pytest.mark.parametrize("attributes", [{}, {"k": 1}, {"k": -2}])
def test_eye_like(agree: Agree, unknown: tuple[str, ...], attributes: dict[str, int]):
    node = case("EyeLike", {"x": normal(3, 4)}, unknown=unknown, **attributes)
    agree(node.model, node.feeds)


def test_eye_like_of_another_type(agree: Agree):
    agree("agraph (float[3,3] x) => (int32[3,3] y) { y = EyeLike<dtype = 6>(x) }", {"x": normal(3, 3)})


@pytest.mark.parametrize("attributes", ["", "<start = 1>", "<end = -1>", "<start = -2, end = 7>"])
def test_shape_and_size(agree: Agree, attributes: str):
    for dims in ("2,3,4", "n,3,m"):
        text = f"agraph (float[{dims}] x) => (int64[k] s, int64 n) {{ s = Shape{attributes}(x) n = Size(x) }}"
        agree(text, {"x": normal(2, 3, 4)})


def test_shape_of_a_tensor_that_lies_otherwise(agree: Agree):
    text = """agraph (float[n,5,6,4] x) => (int64[4] y) {
        c = Transpose<perm = [0, 3, 1, 2]>(x) r = Relu(c) y = Shape(r) }"""
    assert "Transpose" not in agree(text, {"x": normal(2, 5, 6, 4)})


@FEW
@given(axis=st.integers(-3, 2), known=st.booleans())
def test_one_hot(agree: Agree, axis: int, known: bool):
    inputs = {"i": np.array([[0, -1, 5], [3, -4, 9]]), "d": np.array([4]), "v": np.array([2, 5])}
    node = case("OneHot", inputs, constants=["d", "v"] * known, axis=axis)
    agree(node.model, node.feeds)


def test_one_hot_of_indices_that_lie_otherwise(agree: Agree):
    text = """agraph (int64[2,3] x) => (float[3,2,4] y) <int64 d = {4}, float[2] v = {0, 1}> {
        t = Transpose(x) a = Abs(t) y = OneHot(a, d, v) }"""
    agree(text, {"x": np.array([[0, 1, -2], [3, 3, 1]])})

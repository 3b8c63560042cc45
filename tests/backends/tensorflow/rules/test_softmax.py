"""Softmax, LogSoftmax and Hardmax along any axis, in any layout, and the flattened ones of old opsets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]

X = np.random.default_rng(0).integers(-3, 4, (2, 3, 4, 5)).astype(np.float32)
OPS = ["Softmax", "LogSoftmax", "Hardmax"]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis(agree: Agree, op: str, axis: int):
    agree(f"agraph (float[a,b,c,d] x) => (float[a,b,c,d] y) {{ y = {op}<axis = {axis}>(x) }}", {"x": X})


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_before_opset_13_over_all_axes_from_one_on(agree: Agree, op: str, axis: int):
    header = '<ir_version: 10, opset_import: ["" : 11]>'
    agree(f"{header} agraph (float[2,3,4,5] x) => (float[2,3,4,5] y) {{ y = {op}<axis = {axis}>(x) }}", {"x": X})


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("axis", [1, 2])
def test_nothing_moves(agree_on_image: Agree, op: str, axis: int):
    ops = agree_on_image(f"d = {op}<axis = {axis}>(c)")
    if op != "Hardmax":
        assert (op in ops) == (axis == 1)


def test_the_default_axis_changed_with_opset_13(agree: Agree):
    for opset in (11, 13):
        header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
        agree(f"{header} agraph (float[2,3,4,5] x) => (float[2,3,4,5] y) {{ y = Softmax(x) }}", {"x": X})


def test_axes_of_size_1_do_not_count(agree_on_image: Agree):
    header = '<ir_version: 10, opset_import: ["" : 11]>'
    assert "Softmax" in agree_on_image("d = Softmax(c)", header, X[:, :1, :1])


def test_large_numbers(agree: Agree):
    x = np.array([[1e4, 1e4 + 1], [-1e4, 0]], np.float32)
    for op in ("Softmax", "LogSoftmax"):
        agree(f"agraph (float[2,2] x) => (float[2,2] y) {{ y = {op}<axis = 0>(x) }}", {"x": x})


@pytest.mark.parametrize("axis", [-1, 1])
def test_of_an_unknown_rank(agree: Agree, axis: int):
    for op in ("Softmax", "LogSoftmax"):
        agree(f"agraph (float[] x) => (float[] y) {{ y = {op}<axis = {axis}>(x) }}", {"x": X})


def test_a_hardmax_of_an_unknown_rank_is_refused(run_tensorflow: Callable[..., object]):
    with pytest.raises(UnsupportedModel, match=r"^the rank of 'x' is not known, and must be; give its shape"):
        run_tensorflow(model("agraph (float[] x) => (float[] y) { y = Hardmax(x) }"), {})

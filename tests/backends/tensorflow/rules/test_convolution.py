"""Convolutions against onnxruntime: windows of any kind, groups, computed kernels, sizes that are not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal
from onnxpress.errors import UnsupportedModel
from sliding_windows import windows

Agree = Callable[..., list[str]]


@FEW
@given(window=windows(), groups=st.sampled_from([(1, 2, 3), (2, 1, 1), (2, 2, 1), (3, 1, 2)]), data=st.data())
def test_any_window(agree: Agree, window: dict[str, Any], groups: tuple[int, int, int], data: st.DataObject):
    group, within, out = groups
    inputs = {
        "x": normal(2, group * within, *window["sizes"]),
        "w": normal(group * out, within, *window["kernel"], seed=1),
        "b": data.draw(st.sampled_from([None, normal(group * out, seed=2)])),
    }
    constants = data.draw(st.sampled_from([(), ("w", "b")]))
    unknown = data.draw(st.sampled_from([(), ("x",)]))
    node = case("Conv", inputs, constants=constants, unknown=unknown, group=group, **window["attributes"])
    agree(node.model, node.feeds)


@pytest.mark.parametrize(
    ("attributes", "ops"),
    [
        ("pads = [1, 1, 1, 1]", {"Conv2D"}),
        ("auto_pad = 'SAME_UPPER', strides = [2, 2]", {"Conv2D"}),
        ("pads = [0, 0, 1, 1], strides = [2, 2]", {"Conv2D", "Pad"}),
        ("pads = [1, 1, 1, 1], strides = [2, 2]", {"Conv2D", "Pad"}),
        ("pads = [2, 2, 2, 2], dilations = [2, 2]", {"Conv2D"}),
    ],
)
def test_one_operator_where_tensorflow_pads_alike(agree_on_image: Agree, attributes: str, ops: set[str]):
    weights = " ".join("0.5," if index % 3 else "-1.," for index in range(7 * 6 * 9)).rstrip(",")
    kernel = f"w = Constant<value = float[7,6,3,3] {{{weights}}}>()"
    attributes = attributes.replace("'", '"')
    found = agree_on_image(f"{kernel} d = Conv<{attributes}>(c, w)")
    assert set(found) - {"Placeholder", "Const", "Identity"} == ops


@pytest.mark.parametrize(
    ("strides", "dilations", "op"),
    [([2, 2], [1, 1], "DepthwiseConv2dNative"), ([2, 1], [1, 1], "Conv2D"), ([2, 1], [2, 3], "SpaceToBatchND")],
)
def test_depthwise(agree: Agree, strides: list[int], dilations: list[int], op: str):
    inputs = {"x": normal(2, 3, 9, 10), "w": normal(6, 1, 3, 2, seed=1)}
    pads = [1, 2, 0, 1]
    node = case("Conv", inputs, constants=["w"], group=3, strides=strides, dilations=dilations, pads=pads)
    assert op in agree(node.model, node.feeds)


def test_groups_are_not_fused_with_what_follows(agree: Agree):
    """Grappler would, and TensorFlow has no kernel for it."""
    text = """agraph (float[2,4,6,6] x, float[6,2,3,3] w, float[6] b) => (float[2,6,4,4] y)
    { c = Conv<group = 2>(x, w, b) y = Relu(c) }"""
    assert "EnsureShape" in agree(text, {"x": normal(2, 4, 6, 6), "w": normal(6, 2, 3, 3), "b": normal(6)})


@pytest.mark.parametrize("kind", [np.float64, np.float16])
@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_types(run_tensorflow: Callable[..., Any], kind: type, group: int, rank: int):
    x, w = normal(1, 4, *[5] * rank), normal(4, 4 // group, *[3] * rank, seed=1)
    results = []
    for each in (np.float32, kind):
        node = case("Conv", {"x": x.astype(each), "w": w.astype(each)}, group=group)
        results.append(run_tensorflow(node.model, node.feeds)["y0"])
    assert results[1].dtype == kind
    np.testing.assert_allclose(*results, rtol=0.02 if kind == np.float16 else 1e-4, atol=0.02)


def test_refuses_four_axes(run_tensorflow: Callable[..., Any]):
    node = case("Conv", {"x": normal(1, 1, 2, 2, 2, 2), "w": normal(1, 1, 1, 1, 1, 1)})
    with pytest.raises(UnsupportedModel, match=r"Conv, inputs \[1, 1, 2, 2, 2, 2\].*one to three spatial axes"):
        run_tensorflow(node.model, node.feeds)

"""Pooling over windows against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal
from sliding_windows import windows

Agree = Callable[..., list[str]]


@st.composite
def poolings(draw: st.DrawFn) -> dict[str, Any]:
    """A window, ``ceil_mode``, and whether sizes are known."""
    window = draw(windows())
    attributes = window["attributes"] | {"kernel_shape": window["kernel"]}
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    return {"sizes": window["sizes"], "attributes": attributes, "unknown": draw(st.sampled_from([(), ("x",)]))}


@FEW
@given(pooling=poolings(), kind=st.sampled_from([np.float32, np.float64, np.int8, np.uint8]))
def test_maximum(agree: Agree, pooling: dict[str, Any], kind: type):
    x = (normal(2, 3, *pooling["sizes"]) * 30).astype(kind)
    node = case("MaxPool", {"x": x}, unknown=pooling["unknown"], opset=12, **pooling["attributes"])
    agree(node.model, node.feeds)


@FEW
@given(pooling=poolings(), order=st.integers(0, 1))
def test_where_the_maximum_is(agree: Agree, pooling: dict[str, Any], order: int):
    x = np.round(normal(2, 3, *pooling["sizes"]) * 2)
    attributes = pooling["attributes"] | {"storage_order": order}
    node = case("MaxPool", {"x": x}, unknown=pooling["unknown"], outputs=2, **attributes)
    agree(node.model, node.feeds)


@FEW
@given(pooling=poolings(), include=st.integers(0, 1))
def test_average(agree: Agree, pooling: dict[str, Any], include: int):
    attributes = pooling["attributes"] | {"count_include_pad": include}
    node = case("AveragePool", {"x": normal(2, 3, *pooling["sizes"])}, unknown=pooling["unknown"], **attributes)
    agree(node.model, node.feeds)


@FEW
@given(pooling=poolings(), p=st.integers(1, 3))
def test_norm(agree: Agree, pooling: dict[str, Any], p: int):
    node = case(
        "LpPool", {"x": normal(2, 3, *pooling["sizes"])}, unknown=pooling["unknown"], p=p, **pooling["attributes"]
    )
    agree(node.model, node.feeds)


@pytest.mark.parametrize(
    ("node", "ops"),
    [
        ("MaxPool<kernel_shape = [2, 2], strides = [2, 2]>", ["MaxPool"]),
        ("MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>", ["MaxPool"]),
        ("MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>", ["MaxPool"]),
        ("MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>", ["MaxPool", "PadV2"]),
        ("AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>", ["AvgPool"]),
        ("AveragePool<kernel_shape = [2, 2], strides = [2, 2], auto_pad = 'SAME_UPPER'>", ["AvgPool"]),
        ("AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>", ["AvgPool", "Pad"]),
        ("AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>", ["AvgPool", "Mul", "Pad"]),
        (
            "AveragePool<kernel_shape = [3, 2], dilations = [2, 1]>",
            ["GatherV2", "GatherV2", "Mul", "Mul", "Sum", "Sum"],
        ),
    ],
)
def test_one_operator_where_tensorflow_has_it(agree_on_image: Agree, node: str, ops: list[str]):
    header = '<ir_version: 10, opset_import: ["" : 19]>'
    call = node.replace("'", '"')
    found = agree_on_image(f"d = {call}(c)", header)
    assert sorted(set(found) - {"Placeholder", "Const", "Identity"}) == sorted(set(ops))


def test_padding_is_less_than_everything(agree: Agree):
    node = case("MaxPool", {"x": -np.abs(normal(1, 1, 3, 3)) - 5}, kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    assert "PadV2" in agree(node.model, node.feeds)


def test_half_precision_is_summed_in_single(run_tensorflow: Callable[..., Any]):
    x = np.full((1, 1, 40, 60), 100, np.float16)
    node = case("AveragePool", {"x": x}, kernel_shape=[20, 30], dilations=[2, 2])
    assert (run_tensorflow(node.model, node.feeds)["y0"] == 100).all()

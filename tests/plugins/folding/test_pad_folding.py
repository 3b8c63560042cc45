"""fold-padding: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import feeds, graph, numbers, ops
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.folding.pad_folding import FOLD_PADDING

WEIGHT = {"w": numbers(4, 4, 3, 3)}
POOL = "MaxPool<kernel_shape = [3, 3], strides = [2, 2]>"


def pads(*spatial: int, channels: int = 0) -> np.ndarray[Any, Any]:
    top, left, bottom, right = spatial
    return np.array([0, channels, top, left, 0, channels, bottom, right], np.int64)


def padded(behind: str, before: str = "a = Relu(x)", p: Any = None, mode: str = "constant", **more: Any) -> ir.Model:
    body = f'{before} b = Pad<mode = "{mode}">(a, p) y = {behind}'
    return graph(body, y="float[N,C,H,W] y", p=pads(0, 0, 1, 1) if p is None else p, **WEIGHT, **more)


@given(
    before=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    own=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    stride=st.integers(1, 3),
)
def test_padding_becomes_part_of_the_convolution(before: list[int], own: list[int], stride: int) -> None:
    behind = f"Conv<pads = [{', '.join(map(str, own))}], strides = [{stride}, {stride}]>(b, w)"
    made = padded(behind, before="a = Tanh(x)", p=pads(*before))
    after, notes = apply(FOLD_PADDING, made)
    assert notes.counts == {"Pad folded into Conv": 1} and ops(after)["Pad"] == 0
    assert_equivalent(made, after, feeds(made), rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid"])
@pytest.mark.parametrize("spatial", [(1, 1, 1, 1), (0, 0, 1, 1), (2, 2, 2, 2)])
def test_padding_of_what_is_not_negative_becomes_part_of_max_pooling(activation: str, spatial: tuple[int, ...]) -> None:
    made = padded(f"{POOL}(b)", before=f"a = {activation}(x)", p=pads(*spatial))
    after, notes = apply(FOLD_PADDING, made)
    assert notes.counts == {"Pad folded into MaxPool": 1} and ops(after)["Pad"] == 0
    assert_equivalent(made, after, feeds(made), rtol=0, atol=0)


def test_a_model_without_padding_is_left_alone() -> None:
    made = graph("y = Conv(x, w)", y="float[N,C,H,W] y", **WEIGHT)
    after, notes = apply(FOLD_PADDING, made)
    assert (ops(after), notes.counts, notes.declined) == (ops(made), {}, [])


DECLINED = {
    "behind it has no zero padding": padded("Tanh(b)"),
    "works out its own padding": padded('Conv<auto_pad = "SAME_UPPER">(b, w)'),
    "may be negative": padded(f"{POOL}(b)", before="a = Tanh(x)"),
    "hold padding alone": padded(f"{POOL}(b)", p=pads(3, 0, 0, 0)),
    "rounds up": padded("MaxPool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>(b)"),
    "dilated": padded("MaxPool<kernel_shape = [3, 3], dilations = [2, 2]>(b)"),
    "not constant zero padding of the spatial axes alone": padded("Conv(b, w)", mode="reflect"),
    "of the spatial axes alone": padded("Tanh(b)", p=pads(0, 0, 1, 1, channels=1)),
    "zero padding of": padded("Conv(b, w)", p=pads(-1, 0, 0, 0)),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_it_declines_with_the_reason(reason: str) -> None:
    after, notes = apply(FOLD_PADDING, DECLINED[reason])
    assert ops(after)["Pad"] == 1 and notes.counts == {}
    assert [reason in item.reason for item in notes.declined] == [True]


def test_padding_with_another_number_is_declined() -> None:
    body = "b = Pad(x, p, one) y = Conv(b, w)"
    made = graph(body, y="float[N,C,H,W] y", p=pads(1, 1, 1, 1), one=np.float32(1), **WEIGHT)
    after, notes = apply(FOLD_PADDING, made)
    assert ops(after)["Pad"] == 1
    assert "not constant zero padding" in notes.declined[0].reason


def test_what_others_use_too_stays_for_them() -> None:
    made = graph("b = Pad(x, p) y = Conv(b, w) z = Tanh(b)", y="float[N,C,H,W] y, z", p=pads(1, 1, 1, 1), **WEIGHT)
    after, notes = apply(FOLD_PADDING, made)
    assert notes.counts == {"Pad folded into Conv": 1} and ops(after)["Pad"] == 1
    assert [item.reason for item in notes.declined] == ["Tanh behind it has no zero padding of its own"]
    assert_equivalent(made, after, feeds(made), rtol=0, atol=1e-6)


def test_inside_a_subgraph() -> None:
    body = """y = If (flag) <
        then_branch = yes () => (float[N,4,8,8] r) { q = Pad(x, p) r = Conv(q, w) },
        else_branch = no () => (float[N,4,8,8] s) { s = Relu(x) }>"""
    made = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,4,8,8] y", p=pads(1, 1, 1, 1), **WEIGHT)
    after, _ = apply(FOLD_PADDING, made)
    assert ops(after)["Pad"] == 0
    inputs = {"x": numbers(2, 4, 8, 8), "flag": np.array(True)}
    assert_equivalent(made, after, inputs, rtol=0, atol=1e-6)

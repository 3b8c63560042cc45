"""Weights as int8 behind AscendWeightQuant, biases as int32 behind Cast, each Const once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.ascend.layers import layers
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.frozen_graphs.frozen_nodes import FrozenNodes, constant
from quantised_models import quantised


def constants(graph_def: Any, op: str) -> list[tuple[Any, ...]]:
    """The constants that nodes of an operator read."""
    nodes = FrozenNodes(graph_def)
    found = [node for node in nodes.all if node.op == op]
    return [tuple(constant(nodes.source(node, index)) for index in range(len(node.input))) for node in found]


@pytest.mark.parametrize(
    ("body", "weight", "stored", "offset"),
    [
        ("Conv(x, w, b)", "6,5,3,3", (3, 3, 5, 6), (1, 1, 1, 6)),
        ("Conv<group=5>(x, w, b)", "10,1,3,3", (3, 3, 5, 2), (1, 1, 5, 1)),
        ("ConvTranspose(x, w, b)", "5,6,3,3", (3, 3, 6, 5), (1, 1, 6, 1)),
    ],
)
def test_an_offset_for_each_channel(write: Any, body: str, weight: str, stored: Any, offset: Any) -> None:
    bias = 10 if "group" in body else 6
    text = f"g (float[1,5,7,7] x, float[{weight}] w, float[{bias}] b) => (float[?,?,?,?] y) {{ [c] y = {body} }}"
    ((integers, zeros),) = constants(write(quantised(text)), "AscendWeightQuant")
    assert (integers.dtype, integers.shape) == (np.int8, stored)
    assert (zeros.dtype, zeros.shape) == (np.int8, offset) and not zeros.any()


def test_one_offset_where_there_is_one_scale_or_another_rank(write: Any) -> None:
    conv = "g (float[1,5,7,7] x, float[6,5,3,3] w) => (float[1,6,5,5] y) { [c] y = Conv(x, w) }"
    gemm = "g (float[1,5] x, float[5,6] w) => (float[1,6] y) { [c] y = Gemm(x, w) }"
    space = "g (float[1,5,5,5,5] x, float[6,5,3,3,3] w) => (float[1,6,3,3,3] y) { [c] y = Conv(x, w) }"
    for text, per_channel in ((conv, False), (gemm, True), (space, True)):
        ((_, zeros),) = constants(write(quantised(text, per_channel=per_channel)), "AscendWeightQuant")
        assert zeros.shape == (1,)


def test_a_bias_keeps_what_a_float_cannot_hold(write: Any) -> None:
    text = "g (float[1,5] x, float[5,3] w, float[3] b) => (float[1,3] y) { [c] y = Gemm(x, w, b) }"
    model = quantised(text, b=np.float32([123456.789, -98765.4321, 0.25]))
    (layer,) = layers(deployed(model))
    expected = layer.bias.const_value.numpy()
    assert np.abs(expected).max() > 2**24 and (expected.astype(np.float32) != expected).any()
    ((bias,),) = constants(write(model), "Cast")
    np.testing.assert_array_equal(bias, expected)


def test_layers_share_a_weight_and_nothing_behind_it(write: Any) -> None:
    text = "g (float[1,5,7,7] x, float[5,5,3,3] w, float[5] b) => (float[1,5,3,3] y)"
    model = quantised(f"{text} {{ [c] t = Conv(x, w, b) [d] y = Conv(t, w, b) }}", share=True)
    graph_def = write(model)
    weights = [node for node in graph_def.node if node.op == "AscendWeightQuant"]
    assert len(weights) == 2 and len({node.input[0] for node in weights}) == 1
    assert len({node.input[1] for node in weights}) == 2


def test_groups_take_their_parts(write: Any) -> None:
    text = "g (float[1,8,7,7] x, float[6,4,3,3] w, float[6] b) => (float[1,6,5,5] y)"
    model = quantised(f"{text} {{ [c] y = Conv<group=2>(x, w, b) }}")
    (layer,) = layers(deployed(model))
    whole, bias = layer.weight.const_value.numpy(), layer.bias.const_value.numpy()
    graph_def = write(model)
    parts = [part for part, _ in constants(graph_def, "AscendWeightQuant")]
    np.testing.assert_array_equal(np.concatenate([part.transpose(3, 2, 0, 1) for part in parts]), whole)
    np.testing.assert_array_equal(np.concatenate([part for (part,) in constants(graph_def, "Cast")]), bias)


def test_between_groups_that_become_one_are_zeros(write: Any) -> None:
    text = "g (float[1,4,5,5] x, float[4,3,2,2] w) => (float[1,6,6,6] y) { [c] y = ConvTranspose<group=2>(x, w) }"
    model = quantised(text)
    (layer,) = layers(deployed(model))
    narrow = layer.weight.const_value.numpy()
    ((wide, _),) = constants(write(model), "AscendWeightQuant")
    wide = wide.transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(wide[:2, :3], narrow[:2])
    np.testing.assert_array_equal(wide[2:, 3:], narrow[2:])
    assert not wide[:2, 3:].any() and not wide[2:, :3].any()

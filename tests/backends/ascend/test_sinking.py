"""Pairs are where layers can use them, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import numbers
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers
from onnxpress.runtime import Session
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised
from quantized_graphs import quantized_graph, whole


def deployed_ops(body: str, *, shape: tuple[int, ...] = (2, 4, 6, 6), y: str = "y", **given: Any) -> list[str]:
    """The operators of the deploy model, which gives what the quantised one gives."""
    quantized = quantized_graph(body, x=f"float[{','.join(map(str, shape))}] x", y=y, **given)
    model = deployed(quantized)
    check(model)
    feeds = {"x": numbers(*shape)}
    expected, actual = Session(quantized, threads=1).run(feeds), Session(fake_quantised(model), threads=1).run(feeds)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-5, atol=1e-5)
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    "move, weight",
    [
        ("Flatten(d)", (144, 3)),
        ("Reshape(d, sizes)", (36, 3)),
        ("Transpose<perm = [0,2,3,1]>(d)", (4, 3)),
        ("MaxPool<kernel_shape = [2,2]>(d)", (5, 3)),
    ],
)
def test_a_pair_in_front_of_what_moves_numbers_goes_behind(move: str, weight: tuple[int, ...]) -> None:
    body = f"d = PAIR(x) m = {move} v = DequantizeLinear(w, sw, zw) y = MatMul(m, v)"
    op = move[: move.index("<" if "<" in move else "(")]
    assert deployed_ops(body, w=whole(*weight), sizes=np.array([2, 4, 36])) == [
        op,
        "AscendQuant",
        "MatMul",
        "AscendDequant",
    ]


def test_a_pair_that_others_see_stays_too() -> None:
    body = "d = PAIR(x) f = Flatten(d) v = DequantizeLinear(w, sw, zw) a = Gemm(f, v) b = Neg(d)"
    found = deployed_ops(body, y="a, b", w=whole(144, 3))
    assert found == ["AscendQuant", "AscendAntiQuant", "Flatten", "AscendQuant", "Gemm", "AscendDequant", "Neg"]


def test_pairs_around_a_max_pool_become_one_behind_it() -> None:
    body = """d = PAIR(x) m = MaxPool<kernel_shape = [2,2], pads = [1,1,1,1]>(d) q = QuantizeLinear(m, sx, zx)
        e = DequantizeLinear(q, sx, zx) v = DequantizeLinear(w, sw, zw) y = Conv(e, v)"""
    assert deployed_ops(body, w=whole(5, 4, 3, 3)) == ["MaxPool", "AscendQuant", "Conv", "AscendDequant"]


def test_pairs_with_other_steps_both_round() -> None:
    body = """d = PAIR(x) m = MaxPool<kernel_shape = [2,2]>(d) q = QuantizeLinear(m, s, zw)
        e = DequantizeLinear(q, s, zw) v = DequantizeLinear(w, sw, zw) y = Conv(e, v)"""
    ops = deployed_ops(body, w=whole(5, 4, 3, 3), s=np.float32(0.03))
    assert ops[:4] == ["AscendQuant", "AscendAntiQuant", "MaxPool", "AscendQuant"]


@pytest.mark.parametrize("move", ["Transpose<perm = [0,1,3,2]>(q)", "MaxPool<kernel_shape = [2,2]>(q)"])
def test_integers_that_are_moved_are_floats_that_are_moved(move: str) -> None:
    body = f"""q = QuantizeLinear(x, sx, zx) t = {move} i = Identity(t) d = DequantizeLinear(i, sx, zx)
        v = DequantizeLinear(w, sw, zw) y = Conv(d, v)"""
    op = move[: move.index("<")]
    assert deployed_ops(body, w=whole(5, 4, 3, 3)) == [op, "Identity", "AscendQuant", "Conv", "AscendDequant"]


def test_what_changes_numbers_stops_a_pair() -> None:
    body = "d = PAIR(x) r = Sqrt(d) v = DequantizeLinear(w, sw, zw) y = Conv(r, v)"
    quantized = quantized_graph(body.replace("Sqrt", "Neg"), w=whole(5, 4, 3, 3))
    model = deployed(quantized)
    assert not list(layers(model)) and model.graph[0].op_type == "AscendQuant"


def test_a_pad_of_zeros_is_passed_and_another_is_not() -> None:
    body = """d = PAIR(x) t = Transpose<perm = [0,1,3,2]>(d) p = Pad(t, pads, c)
        v = DequantizeLinear(w, sw, zw) y = Conv(p, v)"""
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    given: dict[str, Any] = {"w": whole(5, 4, 3, 3), "pads": pads}
    assert deployed_ops(body, c=np.float32(0), **given) == [
        *("Transpose", "AscendQuant", "Pad", "Conv", "AscendDequant")
    ]
    model = deployed(quantized_graph(body, c=np.float32(1), **given))
    assert isinstance(model, ir.Model) and not list(layers(model))

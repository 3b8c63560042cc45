"""Pairs with something between them: moved together where that only rearranges, left alone otherwise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.testing import assert_equivalent
from onnxpress.testing import model as parse
from onnxpress_backends.tensorflow.quantization.neighbouring_pairs import join_pairs

Agree = Callable[..., list[str]]

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
ONE = {"s": np.float32(0.03), "z": np.uint8(100)}


def graph(body: str, y: str = "float[] y", **constants: np.ndarray) -> ir.Model:
    kinds = {"float32": "float", "uint8": "uint8", "int64": "int64"}
    declared = "".join(f", {kinds[a.dtype.name]}[{','.join(map(str, a.shape))}] {n}" for n, a in constants.items())
    return parse(
        f'<ir_version: 10, opset_import: ["" : 17]> g (float[2,3,4,5] x{declared}) => ({y}) {{ {body} }}', **constants
    )


def order(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def joined(model: ir.Model) -> ir.Model:
    after = model.clone()
    join_pairs(after)
    assert_equivalent(model, after, {"x": X}, rtol=0, atol=0)
    return after


@pytest.mark.parametrize(
    "between",
    [
        "t = Transpose<perm=[0,2,3,1]>(q)",
        "t = Reshape(q, shape)",
        "a = Transpose<perm=[3,2,1,0]>(q) b = Reshape(a, shape) t = Identity(b)",
        "a = Unsqueeze(q, one) b = Squeeze(a, one) t = Flatten(b)",
    ],
)
def test_a_pair_is_brought_together(between: str) -> None:
    body = f"q = QuantizeLinear(x, s, z) {between} y = DequantizeLinear(t, s, z)"
    model = graph(body, shape=np.array([6, 20]), one=np.array([1]), **ONE)
    after = joined(model)
    assert order(after)[:2] == ["QuantizeLinear", "DequantizeLinear"]
    assert [value.name for value in after.graph.outputs] == ["y"]


def test_what_follows_reads_what_was_arranged() -> None:
    body = "q = QuantizeLinear(x, s, z) t = Flatten(q) d = DequantizeLinear(t, s, z) r = Relu(d) y = Add(r, d)"
    assert order(joined(graph(body, **ONE))) == ["QuantizeLinear", "DequantizeLinear", "Flatten", "Relu", "Add"]


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        ("q = QuantizeLinear(x, s, z) t = Flatten(q) y = DequantizeLinear(t, u, z)", "float[] y"),
        ("q = QuantizeLinear(x, s, z) t = Flatten(q) y = DequantizeLinear(t, s)", "float[] y"),
        ("q = QuantizeLinear(x, s, z) t = Flatten(q) y = DequantizeLinear(t, s, z)", "float[] y, uint8[] t"),
        ("q = QuantizeLinear(x, s, z) t = Flatten(q) y = DequantizeLinear(t, s, z) i = Cast<to=1>(t)",
         "float[] y, float[] i"),
        ("q = QuantizeLinear(x, s, z) t = Gather(q, one) y = DequantizeLinear(t, s, z)", "float[] y"),
        ("q = QuantizeLinear(x, v, w) t = Transpose<perm=[1,0,2,3]>(q) y = DequantizeLinear<axis=0>(t, v, w)",
         "float[] y"),
        ("q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", "float[] y"),
    ],
    ids=["another scale", "another zero point", "an output", "two users", "other operators", "channels", "neighbours"],
)  # fmt: skip
def test_what_is_no_such_pair_is_left_alone(body: str, outputs: str) -> None:
    channels = {"v": np.array([0.1, 0.2, 0.3], np.float32), "w": np.array([1, 2, 3], np.uint8)}
    model = graph(body, outputs, u=np.float32(0.04), one=np.array([1]), **ONE, **channels)
    before = order(model)
    assert order(joined(model)) == before


def test_inside_a_branch() -> None:
    body = """c = ReduceMax<keepdims=0>(x) b = Cast<to=9>(c)
        y = If(b) <then_branch = t () => (float[] a) {
                       q = QuantizeLinear(x, s, z) f = Flatten(q) a = DequantizeLinear(f, s, z) },
                   else_branch = e () => (float[] n) { n = Flatten(x) }>"""
    after = joined(graph(body, **ONE))
    branch = next(node for node in after.graph if node.op_type == "If").attributes["then_branch"].as_graph()
    assert [node.op_type for node in branch] == ["QuantizeLinear", "DequantizeLinear", "Flatten"]


def test_tensorflow_sees_a_simulated_pair(agree: Agree) -> None:
    body = "q = QuantizeLinear(x, s, z) t = Transpose<perm=[0,2,3,1]>(q) d = DequantizeLinear(t, s, z) y = Relu(d)"
    ops = agree(graph(body, **ONE), {"x": X}, atol=1e-6)
    assert [op for op in ops if op != "Const"] == ["Placeholder", "FakeQuantWithMinMaxVars", "Relu", "Transpose"]

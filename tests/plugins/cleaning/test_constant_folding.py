"""What is evaluated, what is not, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.constant_folding import FoldConstants


def fold(text: str, *, limit: int = 1 << 20, **initializers: np.ndarray[Any, Any]) -> tuple[ir.Model, Notes]:
    before, notes = model(text, **initializers), Notes()
    after = before.clone()
    FoldConstants(notes, limit=limit)(after)
    verify(after)
    return after, notes


def value(model: ir.Model, name: str) -> np.ndarray[Any, Any]:
    tensor = model.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


def test_a_transposed_weight_is_transposed_once_and_for_all() -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    after, _ = fold("g (float[N,3] x, float[2,3] w) => (y) { t = Transpose(w) y = MatMul(x, t) }", w=weight)
    assert [node.op_type for node in after.graph] == ["MatMul"]
    assert list(after.graph.initializers) == ["t"], "what it was computed from is gone"
    np.testing.assert_array_equal(value(after, "t"), weight.T)


def test_only_what_the_rest_uses_is_kept_of_a_chain() -> None:
    after, notes = fold(
        "g (float[N,3] x) => (y) <float[3] k = {1, 4, 9}> { r = Sqrt(k) s = Reciprocal(r) t = Mul(s, r) y = Mul(x, t) }"
    )
    assert list(after.graph.initializers) == ["t"]
    np.testing.assert_allclose(value(after, "t"), [1, 1, 1], rtol=1e-6)
    assert notes.counts == {"constant nodes evaluated": 3}


def test_what_nobody_uses_is_not_evaluated() -> None:
    after, _ = fold("g (float[N,3] x) => (y) <float[3] k = {1, 4, 9}> { r = Sqrt(k) s = Neg(r) y = Relu(x) }")
    assert [node.op_type for node in after.graph] == ["Relu"]
    assert not after.graph.initializers


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("value=float[2] {1, 2}", np.array([1, 2], np.float32)),
        ("value_float=0.5", np.array(0.5, np.float32)),
        ("value_floats=[0.5, 1.0]", np.array([0.5, 1], np.float32)),
        ("value_int=3", np.array(3)),
        ("value_ints=[3, 4]", np.array([3, 4])),
    ],
)
def test_constant_nodes_become_initialisers(attribute: str, expected: np.ndarray[Any, Any]) -> None:
    after, notes = fold(f"g (float[2] x) => (y) {{ c = Constant<{attribute}>() d = Cast<to=1>(c) y = Add(x, d) }}")
    assert notes.counts["Constant nodes lifted into initialisers"] == 1
    np.testing.assert_array_equal(value(after, "d"), expected.astype(np.float32))


KEPT = {
    "random": "r = RandomNormal<shape=[3]>() y = Add(x, r)",
    "quantised weight": "w = DequantizeLinear(q, s) y = Add(x, w)",
    "an output of the graph": "y = Add(k, k)",
    "a custom operator": "c = custom.Op(k) y = Add(x, c)",
    "text": 'w = Constant<value=string[1] {"a"}>() u = Unsqueeze(w, zero) y = Shape(u)',
    "texts": 'w = Constant<value_strings=["a"]>() u = Unsqueeze(w, zero) y = Shape(u)',
}


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_what_is_kept(body: str) -> None:
    header = '<ir_version: 10, opset_import: ["" : 17, "custom" : 1]>'
    constants = "float[3] k = {1, 2, 3}, int8[3] q = {1, 2, 3}, float s = {0.5}, int64[1] zero = {0}"
    before = model(f"{header} g (float[3] x) => (y) <{constants}> {{ {body} }}")
    after = before.clone()
    FoldConstants(Notes(), limit=1 << 20)(after)
    kinds = [[node.op_type for node in m.graph if node.op_type != "Constant"] for m in (before, after)]
    assert kinds[0][0] == kinds[1][0]


def test_a_small_constant_does_not_become_a_large_one() -> None:
    constants = "<float k = {1}, int64[2] shape = {100, 100}>"
    text = f"g (float[N,100] x) => (y) {constants} {{ e = Expand(k, shape) y = MatMul(x, e) }}"
    assert [node.op_type for node in fold(text)[0].graph] == ["MatMul"]
    assert [node.op_type for node in fold(text, limit=39_999)[0].graph] == ["Expand", "MatMul"]


def test_what_onnxruntime_cannot_evaluate_is_declined_and_the_rest_is_folded() -> None:
    after, notes = fold(
        """g (float[2] x) => (y) <float[2] k = {4, 9}, int64[1] five = {5}> {
            r = Sqrt(k) wrong = Gather(k, five) z = Add(x, r) y = Add(z, wrong) }"""
    )
    assert [node.op_type for node in after.graph] == ["Gather", "Add", "Add"]
    (declined,) = notes.declined
    assert declined.op_type == "Gather"
    assert declined.reason.startswith("it cannot be evaluated: onnxruntime cannot run the model on these inputs")


def test_a_subgraph_may_use_constants_of_the_graph_around_it() -> None:
    before = model(
        """g (float[2] x, bool flag) => (y) <float[2] k = {1, 2}> {
            y = If(flag) <then_branch = a () => (float[2] p) { s = Add(k, k) p = Mul(x, s) },
                          else_branch = b () => (float[2] q) { q = Mul(x, k) }> }"""
    )
    after = before.clone()
    FoldConstants(Notes(), limit=0)(after)
    verify(after)
    assert [node.op_type for node in after.graph.all_nodes()] == ["If", "Mul", "Mul"]
    for flag in (True, False):
        feeds = {"x": np.ones(2, np.float32), "flag": np.array(flag)}
        assert_equivalent(before, after, feeds, rtol=0, atol=0)  # the same operations on the same numbers

"""What is written, what is kept, and what the names are."""

from __future__ import annotations

import onnx_ir as ir

from calibrated import feeds, graph, numbers
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"
CONV = {"w": numbers(4, 4, 1, 1)}


def cancelled(made: ir.Model) -> ir.Model:
    after, _ = apply(CANCEL_TRANSPOSES, made)
    assert_equivalent(made, after, feeds(made), rtol=1e-6, atol=1e-5)
    return after


def types(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_names_of_outputs_stay() -> None:
    """Some in the middle, one twice in the list, one made in another order now."""
    body = f"a = Conv(x, w) b = {TO_LAST}(a) c = Relu(b) d = {TO_FIRST}(c) y = Conv(d, w) z = {TO_LAST}(d)"
    made = graph(body, y="y, c, d, z", **CONV)
    made.graph.outputs.append(made.graph.outputs[1])
    after = cancelled(made)
    assert [value.name for value in after.graph.outputs] == ["y", "c", "d", "z", "c"]
    assert types(after) == ["Conv", "Relu", "Conv", "Transpose", "Identity"]


def test_an_input_that_is_an_output_again_is_handed_on() -> None:
    made = graph(f"a = {TO_LAST}(x) y = {TO_FIRST}(a) z = Relu(y)", y="y, z")
    assert types(cancelled(made)) == ["Relu", "Identity"]


def test_a_constant_is_laid_out_for_one_user_and_kept_for_the_other() -> None:
    body = f"a = Conv(x, w) b = {TO_LAST}(a) c = Mul(b, s) d = {TO_FIRST}(c) e = Conv(d, w) y = Mul(e, s)"
    after = cancelled(graph(body, s=numbers(8, 1), **CONV))
    assert types(after) == ["Conv", "Mul", "Conv", "Mul"]
    shapes = {name: list(value.shape or ()) for name, value in after.graph.initializers.items()}
    assert shapes == {"w": [4, 4, 1, 1], "s": [8, 1], "c_operand": [1, 1, 8]}


def test_a_constant_seen_through_a_view() -> None:
    body = f"a = Conv(x, w) b = {TO_LAST}(a) t = Transpose(s) c = Mul(b, t) y = {TO_FIRST}(c)"
    assert types(cancelled(graph(body, s=numbers(4, 8), **CONV))) == ["Conv", "Mul"]


def test_an_output_that_is_a_constant_stays() -> None:
    made = graph("y = Transpose(s) z = Relu(x)", y="y, z", s=numbers(4, 8))
    assert types(cancelled(made)) == ["Transpose", "Relu"]


def test_the_same_model_gives_the_same_bytes() -> None:
    body = f"a = Conv(x, w) b = {TO_LAST}(a) c = Mul(b, s) d = {TO_LAST}(a) e = MatMul(d, m) y = Add(c, e)"
    made = graph(body, s=numbers(4), m=numbers(4, 4), **CONV)
    texts = {ir.to_proto(cancelled(made)).SerializeToString(deterministic=True) for _ in range(2)}
    assert len(texts) == 1

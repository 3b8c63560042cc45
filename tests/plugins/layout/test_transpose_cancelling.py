"""cancel-transposes: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from calibrated import feeds, graph, numbers, ops
from onnxpress.kinds import Context
from onnxpress.records import Declined, Notes
from onnxpress.registry import Registry
from onnxpress.testing import apply, assert_equivalent
from onnxpress.testing import model as parsed
from onnxpress_plugins.layout.arrangement import compose, essence, plain
from onnxpress_plugins.layout.network import volume
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES
from random_graphs import random_graphs

TO_LAST = "Transpose<perm = [0, 2, 3, 1]>"
TO_FIRST = "Transpose<perm = [0, 3, 1, 2]>"
IMAGE = "float[N,8,8,4] x"
CONV = {"w": numbers(4, 4, 1, 1)}


def cancelled(made: ir.Model, *, atol: float = 1e-6) -> tuple[ir.Model, Notes]:
    after, notes = apply(CANCEL_TRANSPOSES, made)
    assert_equivalent(made, after, feeds(made), rtol=1e-6, atol=atol)
    assert [(value.name, value.shape) for value in after.graph.outputs] == [
        (value.name, value.shape) for value in made.graph.outputs
    ]
    return after, notes


def moved(model: ir.Model) -> int:
    """Bytes that Transposes move, those not counted that move axes of size one alone."""
    bytes_moved = 0
    for node in model.graph.all_nodes():
        value = node.inputs[0] if node.op_type == "Transpose" else None
        if value is not None:
            axes = essence(compose(tuple(node.attributes.get_ints("perm") or ()), plain(value.shape)))
            bytes_moved += volume(value) if list(axes) != sorted(axes) else 0
    return bytes_moved


@given(made=random_graphs())
def test_the_same_numbers_and_never_more_transposed(made: ir.Model) -> None:
    after, _ = cancelled(made)
    assert moved(after) <= moved(made)
    assert moved(apply(CANCEL_TRANSPOSES, after)[0]) <= moved(after)


def test_a_squeeze_and_excite_block_as_tensorflow_has_it() -> None:
    """Channels last around every convolution, and the gate a Reshape to one pixel."""
    made = graph(
        f"""a = {TO_FIRST}(x) b = Conv(a, w) c = {TO_LAST}(b) d = Sigmoid(c) e = Mul(c, d)
        m = ReduceMean<axes = [1, 2], keepdims = 0>(e) r = Reshape(m, s)
        f = {TO_FIRST}(r) g = Conv(f, w) h = {TO_LAST}(g) i = Relu(h)
        j = {TO_FIRST}(i) k = Conv(j, w) l = {TO_LAST}(k) n = Sigmoid(l) o = Mul(e, n)
        p = {TO_FIRST}(o) q = Conv(p, w) t = {TO_LAST}(q) u = Mul(t, scale) v = Add(u, shift) y = Add(v, x)""",
        x=IMAGE,
        y="float[N,8,8,4] y",
        s=np.array([-1, 1, 1, 4]),
        scale=numbers(4),
        shift=numbers(1, 1, 1, 4),
        **CONV,
    )
    after, notes = cancelled(made, atol=1e-5)
    assert notes.counts == {"Transpose cancelled": 6}
    assert ops(after)["Transpose"] == 2 and ops(after)["Reshape"] == 0
    assert [item.reason for item in notes.declined] == [
        "input 'x' has its axes in one order and Conv 'b' in another",
        "beyond Mul 'u' no less would be transposed",
    ]


def test_what_follows_a_transpose_takes_the_order_before_it() -> None:
    made = graph(f"a = Conv(x, w) b = {TO_LAST}(a) c = Softmax<axis = 1>(b) d = {TO_FIRST}(c) y = Conv(d, w)", **CONV)
    after, _ = cancelled(made)
    assert [node.op_type for node in after.graph] == ["Conv", "Softmax", "Conv"]
    assert after.graph[1].attributes.get_int("axis") == 2


@pytest.mark.parametrize(
    "body",
    [
        "a = Conv(x, w) y = Relu(a)",
        f"a = Relu(x) b = Conv(a, w) y = {TO_LAST}(b)",
        "a = Reshape(x, s) y = Transpose<perm = [1, 0]>(a)",
    ],
)
def test_it_leaves_alone_what_is_best(body: str) -> None:
    made = graph(body, y="float[A,B,C,D] y" if "s" not in body else "y", s=np.array([4, -1]), **CONV)
    after, notes = apply(CANCEL_TRANSPOSES, made)
    assert (str(after.graph), notes.counts) == (str(made.graph), {})


@pytest.mark.parametrize("body", ["y = Relu(x)", f"y = {TO_LAST}(x)"])
def test_a_model_that_is_left_alone_keeps_its_opset(body: str) -> None:
    after, _ = apply(CANCEL_TRANSPOSES, graph(body, opset=11))
    assert after.opset_imports[""] == 11


def test_another_is_raised_to_the_opset_it_takes() -> None:
    made = graph(f"a = {TO_LAST}(x) b = Softmax<axis = 3>(a) y = {TO_FIRST}(b)", opset=11)
    after, _ = apply(CANCEL_TRANSPOSES, graph(f"a = {TO_LAST}(x) b = Relu(a) y = {TO_FIRST}(b)", opset=11))
    assert after.opset_imports[""] == 13 and ops(after)["Transpose"] == 0
    assert_equivalent(made, apply(CANCEL_TRANSPOSES, made)[0], feeds(made), rtol=1e-6, atol=1e-6)


def test_a_model_that_cannot_be_raised_is_declined() -> None:
    made = graph(f"a = {TO_LAST}(x) b = Relu(a) y = {TO_FIRST}(b)", opset=11)
    made.graph.append(ir.Node("", "Unknown", [made.graph.inputs[0]], name="odd"))
    notes = Notes()
    result = CANCEL_TRANSPOSES.build(Context(catalog=Registry(installed=False), notes=notes))(made)
    assert not result.modified and made.opset_imports[""] == 11
    assert [item.node for item in notes.declined] == ["a", "y"]
    assert notes.declined[0].reason.startswith("the model is at opset 11 and cannot be raised to 13: ")


def test_a_model_that_is_no_longer_valid_when_raised_is_declined() -> None:
    """ONNX's converter keeps the batch axis of Scan's opset 8, which opset 9 has not."""
    made = parsed(
        """<ir_version: 10, opset_import: ["" : 8]> g (float[1,2] a, float[1,2,3] x) => (float[3,1,2] y) {
            t = Transpose<perm = [0, 2, 1]>(x)
            s, p = Scan<num_scan_inputs = 1, body = b (float[2] c, float[2] d) => (float[2] e, float[2] f) {
                e = Add(c, d) f = Identity(e) }>("", a, t)
            y = Transpose<perm = [1, 0, 2]>(p) }"""
    )
    after, notes = apply(CANCEL_TRANSPOSES, made)
    assert after.opset_imports[""] == 8 and len(notes.declined) == 2


def test_it_declines_with_the_reason() -> None:
    body = f"a = Conv(x, w) b = {TO_LAST}(a) c = LayerNormalization(b, g) d = {TO_FIRST}(c) y = Conv(d, w)"
    after, notes = cancelled(graph(body, g=numbers(4), **CONV), atol=1e-5)
    assert ops(after)["Transpose"] == 2 and notes.counts == {}
    assert notes.declined == [
        Declined("b", "Transpose", "Conv 'a' has its axes in one order and LayerNormalization 'c' in another"),
        Declined("d", "Transpose", "LayerNormalization 'c' has its axes in one order and Conv 'y' in another"),
    ]


def test_bytes_count_and_not_nodes() -> None:
    """One Transpose of the sum is less than two of what is added, and one of a pixel less than one of an image."""
    made = graph(
        f"a = Conv(x, w) b = {TO_LAST}(a) c = ReduceMax<axes = [1]>(b) y = MatMul(c, m)", m=numbers(4, 2), **CONV
    )
    after, notes = cancelled(made)
    assert [node.op_type for node in after.graph] == ["Conv", "ReduceMax", "Transpose", "MatMul"]
    assert notes.counts == {}


def test_equal_transposes_are_one() -> None:
    made = graph(f"a = {TO_LAST}(x) b = {TO_LAST}(x) c = MatMul(a, m) d = MatMul(b, m) y = Add(c, d)", m=numbers(4, 4))
    after, notes = cancelled(made)
    assert ops(after)["Transpose"] == 1 and notes.counts == {"Transpose cancelled": 1}


def test_a_transpose_of_one_pixel_is_a_reshape_or_nothing() -> None:
    made = graph(
        f"a = GlobalAveragePool(x) b = {TO_LAST}(a) c = MatMul(b, m) d = {TO_FIRST}(c) y = Conv(d, w)",
        m=numbers(4, 4),
        **CONV,
    )
    after, _ = cancelled(made)
    assert [node.op_type for node in after.graph] == ["GlobalAveragePool", "Reshape", "MatMul", "Reshape", "Conv"]


@pytest.mark.parametrize(
    ("x", "last", "first", "weight"),
    [
        ("float[N,4,9] x", "[0, 2, 1]", "[0, 2, 1]", numbers(4, 4, 3)),
        ("float[N,4,5,5,5] x", "[0, 2, 3, 4, 1]", "[0, 4, 1, 2, 3]", numbers(4, 4, 3, 3, 3)),
    ],
    ids=["one dimension", "three dimensions"],
)
def test_other_numbers_of_dimensions(x: str, last: str, first: str, weight: np.ndarray) -> None:
    body = f"""a = Conv(x, w) b = Transpose<perm = {last}>(a) c = Mul(b, s) d = Concat<axis = -1>(c, b)
        e = Transpose<perm = {first}>(d) f = Relu(e) y = ReduceMean<axes = [2]>(f)"""
    after, _ = cancelled(graph(body, x=x, w=weight, s=numbers(4)), atol=1e-5)
    assert ops(after)["Transpose"] == 0


def test_convolution_in_one_dimension_by_way_of_two() -> None:
    """Keras' Conv1D: an axis comes and goes around each convolution."""
    body = f"""a = Unsqueeze(x, one) b = {TO_FIRST}(a) c = Conv(b, w) d = {TO_LAST}(c) e = Squeeze(d, one) f = Relu(e)
        g = Unsqueeze(f, one) h = {TO_FIRST}(g) i = Conv(h, w) j = {TO_LAST}(i) y = Squeeze(j, one)"""
    made = graph(body, x="float[N,9,4] x", y="float[N,9,4] y", one=np.array([1]), **CONV)
    after, _ = cancelled(made, atol=1e-5)
    assert [node.op_type for node in after.graph if node.op_type not in ("Conv", "Relu")] == [
        *("Unsqueeze", "Transpose", "Squeeze", "Unsqueeze", "Transpose", "Squeeze"),
    ]


SUBGRAPH = f"""y = If (flag) <
    then_branch = yes () => (float[N,4,8,8] r) {{
        b = {TO_LAST}(a) c = Relu(b) d = {TO_FIRST}(c) r = Conv(d, w) }},
    else_branch = no () => (float[N,4,8,8] q) {{ q = {TO_FIRST}(l) }}>"""


@pytest.mark.parametrize("flag", [True, False])
def test_inside_a_subgraph(flag: bool) -> None:
    """What the branches take from outside keeps its order there, though it is made in another."""
    body = f"a = Conv(x, w) k = {TO_LAST}(a) l = Sigmoid(k) {SUBGRAPH}"
    made = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,4,8,8] y", **CONV)
    after, notes = apply(CANCEL_TRANSPOSES, made)
    assert_equivalent(made, after, {"x": numbers(2, 4, 8, 8), "flag": np.array(flag)}, rtol=0, atol=1e-6)
    assert notes.counts == {"Transpose cancelled": 2} and ops(after)["Transpose"] == 2


def test_quantised_data_is_transposed_rather_than_float() -> None:
    made = parsed(
        f"""g (float[2,4,8,8] x, float s, uint8 z, float[4,4] m) => (y) {{
            a = QuantizeLinear(x, s, z) b = DequantizeLinear(a, s, z) c = {TO_LAST}(b) y = MatMul(c, m) }}""",
        s=np.array(0.1, np.float32),
        z=np.array(128, np.uint8),
        m=numbers(4, 4),
    )
    after, _ = cancelled(made)
    assert [node.op_type for node in after.graph] == ["QuantizeLinear", "Transpose", "DequantizeLinear", "MatMul"]

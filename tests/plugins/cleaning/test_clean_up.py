"""clean-up: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress import model_files
from onnxpress.errors import InvalidModel
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.cleaning.clean_up import CLEAN_UP


def numbers(*shape: int, seed: int = 7) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def clean(before: ir.Model, **feeds: np.ndarray[Any, Any]) -> tuple[ir.Model, Notes]:
    """Clean up, and check that the outputs are what they were and that a second time changes nothing."""
    bytes_before = model_files.to_proto(before).SerializeToString(deterministic=True)
    after, notes = apply(CLEAN_UP, before)
    assert model_files.to_proto(before).SerializeToString(deterministic=True) == bytes_before
    # the same numbers, but GlobalAveragePool adds pixels in another order than ReduceMean: 1e-7 of values of order 1
    assert_equivalent(before, after, feeds, rtol=1e-6, atol=1e-6)
    assert model_files.to_proto(apply(CLEAN_UP, after)[0]) == model_files.to_proto(after)
    return after, notes


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


TEXT = """g (float[N,8,8,3] image) => (float[N,4] y) <float[4] k = {1, 2, 3, 4}, float[4] l = {1, 2, 3, 4}> {
    nchw = Transpose<perm=[0,3,1,2]>(image)
    same = Identity(nchw)
    w = Transpose<perm=[3,2,0,1]>(hwio)
    conv = Conv(same, w, k)
    quiet = Dropout(conv)
    nhwc = Transpose<perm=[0,2,3,1]>(quiet)
    mean = ReduceMean<axes=[1,2], keepdims=0>(nhwc)
    two = Constant<value_float=2.0>()
    factor = Mul(two, k)
    scaled = Mul(mean, factor)
    y = Add(scaled, l)
    unused = Relu(conv)
}"""


def converted() -> ir.Model:
    """What a converter leaves behind."""
    return model(TEXT.replace("image)", "image, float[3,3,3,4] hwio)", 1), hwio=numbers(3, 3, 3, 4))


def test_a_converted_model_is_tidied() -> None:
    after, notes = clean(converted(), image=numbers(2, 8, 8, 3))
    assert ops(after) == ["Transpose", "Conv", "GlobalAveragePool", "Flatten", "Mul", "Add"]
    assert list(after.graph.initializers) == ["k", "w", "factor"]
    assert notes.counts == {
        "Identity without effect removed": 1,
        "Dropout without effect removed": 1,
        "Constant nodes lifted into initialisers": 1,
        "constant nodes evaluated": 2,
        "ReduceMean turned into GlobalAveragePool": 1,
        "duplicate initialisers merged": 1,
        "unused nodes removed": 2,
    }


def test_what_is_tidy_is_left_alone() -> None:
    before = model(
        "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y) { c = Conv(x, w, b) y = Relu(c) }",
        w=numbers(4, 3, 3, 3),
        b=numbers(4),
    )
    for node in before.graph:
        node.name = node.outputs[0].name
    after, notes = apply(CLEAN_UP, before)
    assert model_files.to_proto(after) == model_files.to_proto(before)
    assert notes == Notes()


def test_a_declined_node_is_listed_once_though_there_are_several_rounds() -> None:
    before = model(
        """<ir_version: 10, opset_import: ["" : 17, "custom" : 1]> g (float[N,8,8,3] x) => (float[N,8,8,3] y, m) {
            i = Identity(x) y = Identity(i) u = custom.Unknown(x) m = ReduceMean<axes=[2,3]>(u)
        }"""
    )
    after, notes = apply(CLEAN_UP, before)
    assert ops(after) == ["Identity", "Unknown", "ReduceMean"]
    assert [declined.reason for declined in notes.declined] == [
        "shape or type of 'u' is unknown, so these may not be all its pixels"
    ]
    assert notes.details == {"values of unknown shape": ["u", "m"]}


def test_inside_a_subgraph() -> None:
    before = model(
        """g (float[N,3,8,8] x, bool flag) => (y) {
            two = Constant<value_float=2.0>()
            y = If(flag) <
                then_branch = yes () => (float[N,3,1,1] p) {
                    one = Constant<value_float=1.0>() three = Add(one, two) i = Identity(x)
                    m = ReduceMean<axes=[-1,-2]>(i) p = Mul(m, three) },
                else_branch = no () => (float[N,3,1,1] q) {
                    m2 = ReduceMean<axes=[3,2]>(x) d = Dropout(m2) q = Identity(d) }>
        }"""
    )
    for flag in (True, False):
        after, _ = clean(before, x=numbers(2, 3, 8, 8), flag=np.array(flag))
        assert ops(after) == ["If", "GlobalAveragePool", "Mul", "GlobalAveragePool"]


def test_unused_initialisers_of_a_subgraph_go_too() -> None:
    before = model(
        """g (float[2] x, bool flag) => (y) {
            y = If(flag) <
                then_branch = yes () => (float[2] p) <float[2] unused = {1, 2}> { p = Relu(x) },
                else_branch = no () => (float[2] q) { q = Neg(x) }>
        }"""
    )
    after, notes = clean(before, x=numbers(2), flag=np.array(True))
    assert [list(graph.initializers) for graph in after.graphs()] == [[], [], []]
    assert notes.counts == {"unused initialisers removed": 1}


def test_functions_are_inlined_and_dropped() -> None:
    before = model(
        """<ir_version: 10, opset_import: ["" : 17, "local" : 1]>
        g (float[N,4] x) => (float[N,4] y) { a = local.twice(x) y = local.twice(a) }
        <opset_import: ["" : 17], domain: "local"> twice (v) => (w) { w = Add(v, v) }
        <opset_import: ["" : 17], domain: "local"> never (v) => (w) { w = Mul(v, v) }"""
    )
    after, notes = clean(before, x=numbers(2, 4))
    assert ops(after) == ["Add", "Add"]
    assert not after.functions
    assert after.graph.opset_imports == {"": 17}
    assert notes.counts == {"functions inlined": 2}


def test_a_graph_that_contradicts_itself_is_refused() -> None:
    before = model("g (float[N,4] x) => (float[N,4] y) { a = Relu(x) y = Add(a, x) }")
    before.graph[0].outputs[0].shape = ir.Shape(["N", 5])
    with pytest.raises(InvalidModel, match=r"^shape inference failed: .*Relu"):
        apply(CLEAN_UP, before)


_STEPS = {
    "identity": "{o} = Identity({i})",
    "dropout": "{o} = Dropout({i})",
    "cast": "{o} = Cast<to=1>({i})",
    "there": "{o} = Transpose<perm=[0,2,3,1]>({i})",
    "back": "{o} = Transpose<perm=[0,3,1,2]>({i})",
    "relu": "{o} = Relu({i})",
    "scale": "{o}_k = Constant<value_float=1.5>() {o}_l = Mul({o}_k, {o}_k) {o} = Mul({i}, {o}_l)",
    "pad": "{o}_p = Constant<value_ints=[0,0,0,0,0,0,0,0]>() {o} = Pad({i}, {o}_p)",
    "mean": "{o} = ReduceMean<axes=[1,2]>({i})",
    "pixels": "{o} = ReduceMean<axes=[2,3]>({i})",
    "reshape": "{o}_t = Shape({i}) {o} = Reshape({i}, {o}_t)",
}


@given(st.lists(st.sampled_from(sorted(_STEPS)), max_size=8))
def test_any_chain_computes_the_same(steps: list[str]) -> None:
    lines, last = [], "x"
    for number, step in enumerate(steps):
        lines.append(_STEPS[step].format(i=last, o=f"v{number}"))
        last = f"v{number}"
    before = model(f"g (float[N,3,4,4] x) => (y) {{ {' '.join(lines)} y = Relu({last}) }}")
    after, _ = apply(CLEAN_UP, before)
    # GlobalAveragePool may add the pixels in another order than ReduceMean: a few units of 1e-7 of values below 10
    assert_equivalent(before, after, {"x": numbers(2, 3, 4, 4)}, rtol=1e-6, atol=1e-6)
    assert not {"Identity", "Dropout", "Cast", "Constant", "Pad"} & set(ops(after))
    assert model_files.to_proto(apply(CLEAN_UP, after)[0]) == model_files.to_proto(after)

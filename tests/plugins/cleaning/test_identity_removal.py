"""Nodes without effect go, those with one stay, outputs keep their names."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.identity_removal import RemoveIdentities

CONSTANTS = """int64[8] zeros = {0,0,0,0,0,0,0,0}, int64[8] some = {0,0,1,0,0,0,0,0}, int64[4] same = {0,3,4,4},
    int64[4] open = {-1,3,4,4}, int64[2] flat = {0,48}, int64[2] other = {-1,24}, int64[2] spatial = {2,3},
    int64[4] ones = {1,1,1,1}, int64[4] twice = {2,1,1,1}, float half = {0.5}, bool yes = {1}, bool no = {0}"""


def remove(body: str, x: str = "float[N,3,4,4] x") -> ir.Model:
    before = model(f"g ({x}) => (y) <{CONSTANTS}> {{ {body} }}")
    after = before.clone()
    RemoveIdentities(Notes())(after)
    verify(after)
    shape = [dim if isinstance(dim, int) else 2 for dim in before.graph.inputs[0].shape or ()]
    feeds = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    assert_equivalent(before, after, feeds, rtol=0, atol=0)  # nothing is computed differently
    return after


GONE = {
    "Identity": "v = Identity(x)",
    "Dropout": "v = Dropout(x)",
    "Dropout in inference": "v, mask = Dropout(x, half, no)",
    "Cast": "v = Cast<to=1>(x)",
    "CastLike": "v = CastLike(x, half)",
    "Reshape, batch kept": "v = Reshape(x, same)",
    "Reshape, one size unknown": "v = Reshape(x, open)",
    "Expand": "v = Expand(x, ones)",
    "Pad": "v = Pad(x, zeros)",
    "Transpose": "v = Transpose<perm=[0,1,2,3]>(x)",
    "Concat": "v = Concat<axis=1>(x)",
    "Sum": "v = Sum(x)",
    "there and back": "t = Transpose<perm=[0,2,3,1]>(x) v = Transpose<perm=[0,3,1,2]>(t)",
    "in a circle": "t = Transpose<perm=[1,2,3,0]>(x) u = Transpose<perm=[1,2,3,0]>(t) v = Transpose<perm=[2,3,0,1]>(u)",
    "flat and back": "f = Flatten(x) v = Reshape(f, open)",
}


@pytest.mark.parametrize("body", GONE.values(), ids=GONE)
def test_without_effect(body: str) -> None:
    after = remove(f"{body} y = Relu(v)")
    assert [node.op_type for node in after.graph if node.outputs[0].name == "y" or node.outputs[0].uses()] == ["Relu"]


STAYS = {
    "Cast": "v = Cast<to=11>(x)",
    "Reshape": "v = Reshape(x, flat)",
    "Reshape that is no longer known": "v = Reshape(x, other)",
    "Pad": "v = Pad(x, some)",
    "Transpose": "v = Transpose<perm=[0,1,3,2]>(x)",
    "Concat": "v = Concat<axis=1>(x, x)",
    "Expand along the batch": "v = Expand(x, twice)",
}


@pytest.mark.parametrize("body", STAYS.values(), ids=STAYS)
def test_with_an_effect(body: str) -> None:
    x = "float[1,3,4,4] x" if "Expand" in body else "float[N,3,4,4] x"
    assert len(list(remove(f"{body} y = Relu(v)", x).graph)) == 2


@pytest.mark.parametrize(
    "body", ["d = Dropout(v, half, yes) y = Relu(d)", "d = Dropout(v, half, xb) y = Relu(d)", "d, y = Dropout(v)"]
)
def test_a_dropout_that_trains_or_whose_mask_is_read_stays(body: str) -> None:
    before = model(f"g (float[N,4] x, bool xb) => (y) <{CONSTANTS}> {{ v = Relu(x) {body} }}")
    assert not RemoveIdentities(Notes())(before).modified


def test_two_unknown_sizes_are_not_the_same_size() -> None:
    text = "g (float[N,M] x, int64[2] s, int64[2] t) => (y) { a = Reshape(x, s) b = Reshape(a, t) y = Relu(b) }"
    before = model(text)
    for node in list(before.graph)[:2]:
        node.outputs[0].shape = ir.Shape([None, None])
    assert not RemoveIdentities(Notes())(before).modified


def test_two_transposes_become_one_though_the_first_is_used_elsewhere() -> None:
    after = remove(
        """t = Transpose<perm=[0,2,3,1]>(x) u = Transpose<perm=[0,2,1,3]>(t)
            v = Relu(t) z = Relu(u) s = Shape(z) y = Expand(v, ones)"""
    )
    orders = [node.attributes.get_ints("perm") for node in after.graph if node.op_type == "Transpose"]
    assert orders == [(0, 2, 3, 1), (0, 3, 2, 1)]


def test_an_output_keeps_its_name() -> None:
    after = remove("r = Relu(x) y = Identity(r)")
    assert [(node.op_type, node.outputs[0].name) for node in after.graph] == [("Relu", "y")]


@pytest.mark.parametrize("body", ["y = Identity(x)", "y = Identity(half)"])
def test_input_and_output_are_not_made_one(body: str) -> None:
    assert [node.op_type for node in remove(body).graph] == ["Identity"]


def test_two_outputs_are_not_made_one() -> None:
    before = model("g (float[N,4] x) => (y, z) { y = Relu(x) z = Identity(y) }")
    assert not RemoveIdentities(Notes())(before).modified


def test_a_subgraph_does_not_return_a_value_of_the_outer_graph() -> None:
    before = model(
        """g (float[N,4] x, bool flag) => (y) {
            r = Relu(x)
            y = If(flag) <then_branch = a () => (float[N,4] p) { p = Identity(r) },
                          else_branch = b () => (float[N,4] q) { i = Identity(r) q = Neg(i) }> }"""
    )
    after = before.clone()
    RemoveIdentities(Notes())(after)
    verify(after)
    assert [node.op_type for node in after.graph.all_nodes()] == ["Relu", "If", "Identity", "Neg"]

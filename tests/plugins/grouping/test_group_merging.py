"""merge-group-conv: changes it, leaves it alone, declines with the reason, inside a subgraph, equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import feeds, graph, numbers
from onnxpress import model_files
from onnxpress.ranges import META_KEY, Range
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.grouping.group_merging import MERGE_GROUP_CONV

HALVES = np.array([2, 2])
WEIGHTS = {"w1": numbers(3, 2, 3, 3), "w2": numbers(3, 2, 3, 3, seed=1), "b1": numbers(3), "b2": numbers(3, seed=1)}
TO_NCHW, TO_NHWC = "Transpose<perm = [0, 3, 1, 2]>", "Transpose<perm = [0, 2, 3, 1]>"
NHWC = "float[N,8,8,4] x"


def merge(before: ir.Model) -> tuple[ir.Model, Notes]:
    """Merge, and check that the outputs are what they were and that merging again finds nothing."""
    after, notes = apply(MERGE_GROUP_CONV, before)
    assert_equivalent(before, after, feeds(before), rtol=1e-6, atol=1e-5)  # the sum of a kernel's products, reordered
    assert model_files.to_proto(apply(MERGE_GROUP_CONV, after)[0]) == model_files.to_proto(after)
    return after, notes


def order(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def initializer(model: ir.Model, name: str) -> np.ndarray[Any, Any]:
    tensor = model.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


def test_two_halves_become_two_groups() -> None:
    body = "l, r = Split<axis = 1>(x, halves) c = Conv(l, w1, b1) d = Conv(r, w2, b2) y = Concat<axis = 1>(c, d)"
    after, notes = merge(graph(body, halves=HALVES, **WEIGHTS))
    (conv,) = after.graph
    assert conv.op_type == "Conv" and conv.attributes.get_int("group") == 2
    assert notes.counts == {"convolutions merged into grouped ones": 2} and notes.declined == []
    np.testing.assert_array_equal(initializer(after, "w1"), np.concatenate([WEIGHTS["w1"], WEIGHTS["w2"]]))
    np.testing.assert_array_equal(initializer(after, "b1"), np.concatenate([WEIGHTS["b1"], WEIGHTS["b2"]]))
    assert list(after.graph.initializers) == ["w1", "b1"]
    assert [output.name for output in after.graph.outputs] == ["y"]


CONVS = "c = Conv(l, w1) d = Conv(r, w2)"
SPLIT = "l, r = Split<axis = 1>(x, halves)"
LAST = "y = Concat<axis = 1>(e, f)"
MERGED = {
    "TensorFlow's order of axes": (
        f"""a, b = Split<axis = 3>(x, halves) l = {TO_NCHW}(a) r = {TO_NCHW}(b) {CONVS}
        j = Concat<axis = 1>(c, d) y = {TO_NHWC}(j)""",
        ["Transpose", "Conv", "Transpose"],
    ),
    "Transposes before the Concat": (
        f"""a, b = Split<axis = -1>(x, halves) l = {TO_NCHW}(a) r = {TO_NCHW}(b) {CONVS}
        e = {TO_NHWC}(c) f = {TO_NHWC}(d) y = Concat<axis = -1>(e, f)""",
        ["Transpose", "Conv", "Transpose"],
    ),
    "Slices": (
        f"""l = Slice(x, zero, two, one) r = Slice(x, two, end, one) {CONVS} y = Concat<axis = 1>(c, d)""",
        ["Conv"],
    ),
    "Relu": (f"{SPLIT} {CONVS} e = Relu(c) f = Relu(d) {LAST}", ["Conv", "Relu"]),
    "Clip": (f"{SPLIT} {CONVS} e = Clip(c, low, high) f = Clip(d, low, high) {LAST}", ["Conv", "Clip"]),
    "Swish": (
        f"{SPLIT} {CONVS} g = Sigmoid(c) h = Sigmoid(d) e = Mul(c, g) f = Mul(d, h) {LAST}",
        ["Conv", "Sigmoid", "Mul"],
    ),
    "biases": (f"{SPLIT} {CONVS} e = Add(c, s1) f = Add(d, s2) {LAST}", ["Conv", "Add"]),
    "the same number": (f"{SPLIT} {CONVS} e = Mul(c, low) f = Mul(d, low) {LAST}", ["Conv", "Mul"]),
    "BatchNormalization": (
        f"""{SPLIT} {CONVS} e = BatchNormalization(c, b1, b2, b1, v1) f = BatchNormalization(d, b2, b1, b2, v1)
        {LAST}""",
        ["Conv", "BatchNormalization"],
    ),
    "pooling": (
        f"{SPLIT} {CONVS} e = MaxPool<kernel_shape = [2, 2]>(c) f = MaxPool<kernel_shape = [2, 2]>(d) {LAST}",
        ["Conv", "MaxPool"],
    ),
    "Pad": (
        f"a, b = Split<axis = 1>(x, halves) l = Pad(a, pads) r = Pad(b, pads) {CONVS} y = Concat<axis = 1>(c, d)",
        ["Pad", "Conv"],
    ),
    "two convolutions in each branch": (
        f"{SPLIT} {CONVS} a = Relu(c) b = Relu(d) e = Conv(a, w6, b1) f = Conv(b, w7, b2) {LAST}",
        ["Conv", "Relu", "Conv"],
    ),
    "one bias only": (f"{SPLIT} c = Conv(l, w1, b1) d = Conv(r, w2) y = Concat<axis = 1>(c, d)", ["Conv"]),
    "a shared weight": (f"{SPLIT} c = Conv(l, w1) d = Conv(r, w1) y = Concat<axis = 1>(c, d)", ["Conv"]),
    "what follows": (f"{SPLIT} {CONVS} j = Concat<axis = 1>(c, d) y = Tanh(j)", ["Conv", "Tanh"]),
}
CONSTANTS = {
    **{name: np.array([number]) for name, number in (("zero", 0), ("one", 1), ("two", 2), ("end", 2**31 - 1))},
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "low": np.float32(-0.5),
    "high": np.float32(0.5),
    "s1": numbers(3, 1, 1),
    "s2": numbers(1, 3, 1, 1, seed=3)[0],
    "v1": np.abs(numbers(3)) + np.float32(0.1),
    "halves": HALVES,
    "w6": numbers(3, 3, 1, 1, seed=6),
    "w7": numbers(3, 3, 1, 1, seed=7),
    **WEIGHTS,
}


@pytest.mark.parametrize(("body", "expected"), MERGED.values(), ids=MERGED)
def test_what_treats_every_channel_by_itself_is_done_once(body: str, expected: list[str]) -> None:
    after, notes = merge(graph(body, x=NHWC if TO_NCHW in body else "float[N,4,8,8] x", **CONSTANTS))
    assert order(after) == expected
    assert notes.declined == []


@given(
    branches=st.integers(2, 4),
    groups=st.lists(st.integers(1, 2), min_size=4, max_size=4),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    options=st.sampled_from(
        ["", "pads = [1, 0, 1, 2]", "strides = [2, 1]", 'auto_pad = "SAME_UPPER"', "dilations = [2, 2]"]
    ),
)
def test_any_number_of_branches_with_groups_of_their_own(
    branches: int, groups: list[int], inputs: int, outputs: int, options: str
) -> None:
    groups = groups[:branches]
    names = [f"p{number}" for number in range(branches)]
    lines = [f"{', '.join(names)} = Split<axis = 1>(x, sizes)"]
    constants = {"sizes": np.array([inputs * group for group in groups])}
    for number, group in enumerate(groups):
        attributes = ", ".join(filter(None, [f"group = {group}", options]))
        lines.append(f"c{number} = Conv<{attributes}>(p{number}, w{number})")
        constants[f"w{number}"] = numbers(outputs * group, inputs, 2, 2, seed=number)
    lines.append(f"y = Concat<axis = 1>({', '.join(f'c{number}' for number in range(branches))})")
    after, _ = merge(graph(" ".join(lines), x=f"float[N,{inputs * sum(groups)},6,6] x", **constants))
    (conv,) = after.graph
    assert conv.attributes.get_int("group") == sum(groups)


UNTOUCHED = {
    "branches of different depth": f"{SPLIT} {CONVS} e = Conv(c, w6) y = Concat<axis = 1>(e, d)",
    "branches that see the same": "c = Conv(x, w3) d = Conv(x, w4) y = Concat<axis = 1>(c, d)",
    "a branch without convolution": f"{SPLIT} c = Conv(l, w1) d = Relu(r) p = Pad(c, pads) y = Concat<axis = 1>(p, d)",
    "no Concat": f"{SPLIT} {CONVS} y = Add(c, d)",
}


@pytest.mark.parametrize("body", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_no_candidate_is_left_alone(body: str) -> None:
    before = graph(body, w3=numbers(3, 4, 3, 3), w4=numbers(3, 4, 3, 3), **CONSTANTS)
    after, notes = apply(MERGE_GROUP_CONV, before)
    assert model_files.to_proto(after) == model_files.to_proto(before)
    assert notes == Notes()


JOIN = "y = Concat<axis = 1>(c, d)"
DECLINED = {
    "parts of different sizes": (
        f"l, r = Split<axis = 1>(x, uneven) c = Conv(l, thin) d = Conv(r, thick) {JOIN}",
        "the parts are not equal: in each group Conv 'c' makes 3 channels of 1, Conv 'd' makes 3 channels of 3",
    ),
    "other strides": (
        f"{SPLIT} c = Conv(l, w1) d = Conv<pads = [0, 1, 0, 1], strides = [1, 1], dilations = [1, 2]>(r, w2) {JOIN}",
        "Conv 'c' and Conv 'd' differ in kernel size, strides, pads or dilations",
    ),
    "a part used elsewhere": (
        f"{SPLIT} {CONVS} j = Concat<axis = 1>(c, d) m = ReduceMean(l) y = Mul(j, m)",
        "'l' is also used by ReduceMean 'm'",
    ),
    "a result used elsewhere": (
        f"{SPLIT} {CONVS} j = Concat<axis = 1>(c, d) m = ReduceMean(c) y = Mul(j, m)",
        "'c' is also used by ReduceMean 'm'",
    ),
    "a result that is an output": (f"{SPLIT} {CONVS} {JOIN}", "'d' is also an output of the graph"),
    "another order": (
        f"{SPLIT} c = Conv(r, w1) d = Conv(l, w2) {JOIN}",
        "the branches do not take all of 'x', in order, along axis 1",
    ),
    "not all": (
        "l, r, z = Split<axis = 1>(x, three) c = Conv(l, thin) d = Conv(r, thin) y = Concat<axis = 1>(c, d)",
        "the branches do not take all of 'x', in order, along axis 1",
    ),
    "Slices that overlap": (
        f"l = Slice(x, zero, two, one) r = Slice(x, one, three1, one) {CONVS} {JOIN}",
        "the branches do not take all of 'x', in order, along axis 1",
    ),
    "Slices of the width too": (
        f"l = Slice(x, zeros, ends, axes) r = Slice(x, from, ends2, axes) {CONVS} {JOIN}",
        "the branches do not take all of 'x', in order, along axis 1",
    ),
    "parts of the height": (
        "l, r = Split<axis = 2>(x, fours) c = Conv(l, w5) d = Conv(r, w5) y = Concat<axis = 1>(c, d)",
        "the branches do not take all of 'x', in order, along axis 1",
    ),
    "joined along the height": (
        f"{SPLIT} {CONVS} y = Concat<axis = 2>(c, d)",
        "axis 2 of the output of Conv 'c' is not its channels",
    ),
    "two tensors": (
        f"t = Relu(x) l, q = Split<axis = 1>(x, halves) p, r = Split<axis = 1>(t, halves) {CONVS} {JOIN}",
        "Split 'l' and Split 'p' do not cut the same tensor",
    ),
    "a weight that is computed": (
        f"{SPLIT} v = Relu(w2) c = Conv(l, w1) d = Conv(r, v) {JOIN}",
        "the weight 'v' of Conv 'd' is no constant",
    ),
    "another activation": (
        f"{SPLIT} {CONVS} e = Relu(c) f = Tanh(d) {LAST}",
        "one branch has Relu 'e' where another has Tanh 'f'",
    ),
    "another slope": (
        f"{SPLIT} {CONVS} e = LeakyRelu<alpha = 0.1>(c) f = LeakyRelu<alpha = 0.2>(d) {LAST}",
        "LeakyRelu 'e' and LeakyRelu 'f' differ in their attributes or inputs",
    ),
    "another limit": (
        f"{SPLIT} {CONVS} e = Clip(c, low, high) f = Clip(d, low) {LAST}",
        "Clip 'e' and Clip 'f' differ in their attributes or inputs",
    ),
    "another number": (
        f"{SPLIT} {CONVS} e = Mul(c, low) f = Mul(d, high) {LAST}",
        "Mul 'e' has other operands in another branch",
    ),
    "one branch twice": (f"{SPLIT} {CONVS} y = Concat<axis = 1>(c, c)", "Conv 'c' is in more than one branch"),
    "a mean over channels": (
        f"""{SPLIT} {CONVS} g = ReduceMean<axes = [1]>(c) h = ReduceMean<axes = [1]>(d)
        e = Mul(c, g) f = Mul(d, h) {LAST}""",
        "Mul 'e' repeats an operand for every channel",
    ),
    "padded channels": (
        f"a, b = Split<axis = 1>(x, halves) l = Pad(a, more) r = Pad(b, more) c = Conv(l, w5) d = Conv(r, w5) {JOIN}",
        "Pad 'l' does not keep axis 1 apart",
    ),
}


@pytest.mark.parametrize(("body", "why"), DECLINED.values(), ids=DECLINED)
def test_declined_with_the_reason(body: str, why: str) -> None:
    constants = {
        "uneven": np.array([1, 3]),
        "three": np.array([1, 1, 2]),
        "three1": np.array([3]),
        "fours": np.array([4, 4]),
        "thin": numbers(3, 1, 3, 3),
        "thick": numbers(3, 3, 3, 3),
        "w5": numbers(3, 4, 3, 3),
        "zeros": np.array([0, 0]),
        "from": np.array([2, 0]),
        "ends": np.array([2, 7]),
        "ends2": np.array([4, 7]),
        "axes": np.array([1, 3]),
        "more": np.array([0, 1, 0, 0, 0, 1, 0, 0]),
    }
    before = graph(body, y="y, d" if "is also an output" in why else "y", **constants, **CONSTANTS)
    after, notes = apply(MERGE_GROUP_CONV, before)
    assert [declined.reason for declined in notes.declined] == [why]
    assert model_files.to_proto(after) == model_files.to_proto(before)


def test_inside_a_subgraph() -> None:
    body = f"""y = If (flag) <
        then_branch = yes () => (float[N,6,6,6] j) {{ {SPLIT} {CONVS} j = Concat<axis = 1>(c, d) }},
        else_branch = no () => (float[N,6,6,6] k) {{ k = Conv(x, whole) }}>"""
    before = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,6,6,6] y", whole=numbers(6, 4, 3, 3), **CONSTANTS)
    after, _ = apply(MERGE_GROUP_CONV, before)
    assert order(after) == ["If", "Conv", "Conv"]
    for flag in (True, False):
        inputs = {"x": numbers(2, 4, 8, 8), "flag": np.array(flag)}
        assert_equivalent(before, after, inputs, rtol=1e-6, atol=1e-5)  # the sum of a kernel's products, reordered


def test_branches_of_an_outer_graph_are_declined_in_a_subgraph() -> None:
    body = f"""{SPLIT} {CONVS} y = If (flag) <
        then_branch = yes () => (float[N,6,6,6] j) {{ j = Concat<axis = 1>(c, d) }},
        else_branch = no () => (float[N,6,6,6] k) {{ k = Conv(x, whole) }}>"""
    before = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,6,6,6] y", whole=numbers(6, 4, 3, 3), **CONSTANTS)
    after, notes = apply(MERGE_GROUP_CONV, before)
    assert order(after) == order(before)
    assert [declined.reason for declined in notes.declined] == [
        "'c', or what corresponds to it in another branch, is not computed in this graph"
    ]


def test_a_measured_range_stays_with_the_tensor_it_was_measured_on() -> None:
    before = graph(f"{SPLIT} {CONVS} e = Relu(c) f = Relu(d) j = Concat<axis = 1>(e, f) y = Tanh(j)", **CONSTANTS)
    for node in before.graph:
        for value in node.outputs:
            value.meta[META_KEY] = Range(0.0, float(len(node.name or "")))
    after, _ = apply(MERGE_GROUP_CONV, before)
    assert [node.outputs[0].meta.get(META_KEY) for node in after.graph] == [None, Range(0.0, 1.0), Range(0.0, 1.0)]
    assert [node.outputs[0].name for node in after.graph] == ["c", "j", "y"]

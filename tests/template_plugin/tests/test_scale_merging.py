"""The five tests of a pass: it changes, leaves alone, declines, works in subgraphs, and keeps the numbers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnxpress_template.scale_merging import MERGE_SCALES

from onnxpress.testing import apply, assert_equivalent, model

CHAIN = (
    "agraph (float[N,4] x) => (float[N,4] y) <float[4] a = {1,2,3,4}, float b = {0.5}> { h = Mul(x, a) y = Mul(b, h) }"
)


def ops(graph: ir.Model) -> list[str]:
    return [node.op_type for node in graph.graph]


def test_it_merges_a_chain():
    after, notes = apply(MERGE_SCALES, model(CHAIN))
    assert ops(after) == ["Mul"]
    assert after.graph[0].inputs[1].const_value.numpy().tolist() == [0.5, 1.0, 1.5, 2.0]
    assert notes.counts == {"Mul merged into the next Mul": 1}


def test_it_leaves_a_single_scale_and_variables_alone():
    single = model(
        "agraph (float[N,4] x, float[N,4] z) => (float[N,4] y) <float a = {2}> { h = Mul(x, z) y = Mul(h, a) }"
    )
    after, notes = apply(MERGE_SCALES, single)
    assert ops(after) == ["Mul", "Mul"]
    assert notes.counts == {}
    assert notes.declined == []


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (
            "agraph (float[N] x) => (float[N] y, float[N] h) <float a = {2}, float b = {3}> "
            "{ h = Mul(x, a) y = Mul(h, b) }",
            {},
            "its input is used elsewhere",
        ),
        (
            "agraph (float[N] x) => (float[N] y) <float a = {1e30}, float b = {1e30}> { h = Mul(x, a) y = Mul(h, b) }",
            {},
            "the product of the constants leaves the range of its type",
        ),
        (
            "agraph (float[2,3] x) => (float[2,3] y) <float[2,1] a = {1,2}, float[1,3] b = {1,2,3}> "
            "{ h = Mul(x, a) y = Mul(h, b) }",
            {},
            "the product of the constants is larger than both",
        ),
        (CHAIN, {"only_scalars": True}, "option only_scalars is set"),
    ],
)
def test_it_declines_with_the_reason(text: str, options: dict[str, bool], reason: str):
    after, notes = apply(MERGE_SCALES, model(text), **options)
    assert ops(after) == ["Mul", "Mul"]
    assert [(item.op_type, item.reason) for item in notes.declined] == [("Mul", reason)]


def test_it_works_inside_a_subgraph():
    branches = model(
        """agraph (bool c, float[N] x) => (float[N] y) <float a = {2}, float b = {3}> {
            y = If(c) <then_branch = t () => (float[N] p) { h = Mul(x, a) p = Mul(h, b) },
                       else_branch = e () => (float[N] q) { q = Mul(x, a) }>
        }"""
    )
    after, notes = apply(MERGE_SCALES, branches)
    assert [node.op_type for node in after.graph.all_nodes()] == ["If", "Mul", "Mul"]
    assert notes.counts == {"Mul merged into the next Mul": 1}
    for condition in (True, False):
        feeds = {"c": np.array(condition), "x": np.arange(5, dtype=np.float32)}
        assert_equivalent(branches, after, feeds, rtol=2e-7, atol=0)


def test_the_numbers_stay_within_two_units_in_the_last_place():
    rng = np.random.default_rng(0)
    before = model(
        "agraph (float[N,8] x, float[8] a, float[8] b, float[8] c) => (float[N,8] y) "
        "{ h = Mul(x, a) k = Mul(b, h) y = Mul(k, c) }",
        **{name: rng.standard_normal(8, dtype=np.float32) for name in "abc"},
    )
    after, _ = apply(MERGE_SCALES, before)
    assert ops(after) == ["Mul"]
    feeds = {"x": rng.standard_normal((64, 8), dtype=np.float32)}
    assert_equivalent(before, after, feeds, rtol=2 * np.finfo(np.float32).eps * 2, atol=0)

"""Means over all pixels become GlobalAveragePool; other means do not."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.records import Notes
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.global_pooling import PoolGlobally

NHWC = "t = Transpose<perm=[0,2,3,1]>(x)"


def pool(body: str, *, x: str = "float[N,3,4,5] x", opset: int = 17) -> tuple[ir.Model, Notes]:
    before, notes = model(f'<ir_version: 10, opset_import: ["" : {opset}]> g ({x}) => (y) {{ {body} }}'), Notes()
    after = before.clone()
    PoolGlobally(notes)(after)
    verify(after)
    shape = [dim if isinstance(dim, int) else 2 for dim in before.graph.inputs[0].shape or ()]
    feeds = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    assert_equivalent(before, after, feeds, rtol=1e-6, atol=1e-6)  # pixels are added in another order
    assert before.graph.outputs[0].shape == after.graph.outputs[0].shape
    return after, notes


POOLED = {
    "keepdims": ("y = ReduceMean<axes=[2,3]>(x)", ["GlobalAveragePool"]),
    "other order, negative": ("y = ReduceMean<axes=[-1,2]>(x)", ["GlobalAveragePool"]),
    "flat": ("y = ReduceMean<axes=[2,3], keepdims=0>(x)", ["GlobalAveragePool", "Flatten"]),
    "channels last": (f"{NHWC} y = ReduceMean<axes=[1,2]>(t)", ["Transpose", "GlobalAveragePool", "Transpose"]),
    "channels last, flat": (
        f"{NHWC} y = ReduceMean<axes=[1,2], keepdims=0>(t)",
        ["Transpose", "GlobalAveragePool", "Flatten"],
    ),
    "behind a Transpose to channels first": (
        "t = Transpose<perm=[0,3,1,2]>(x) y = ReduceMean<axes=[2,3]>(t)",
        ["Transpose", "GlobalAveragePool"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), POOLED.values(), ids=POOLED)
def test_pooled(body: str, expected: list[str]) -> None:
    after, notes = pool(body)
    assert [node.op_type for node in after.graph] == expected
    assert notes.counts == {"ReduceMean turned into GlobalAveragePool": 1}
    assert [output.name for output in after.graph.outputs] == ["y"]


def test_the_mean_keeps_its_name() -> None:
    after, _ = pool("m = ReduceMean<axes=[2,3], keepdims=0>(x) y = Relu(m)")
    assert [node.outputs[0].name for node in after.graph] == ["m_pooled", "m", "y"]


def test_axes_as_an_input() -> None:
    after, _ = pool("a = Constant<value_ints=[2,3]>() y = ReduceMean<keepdims=0>(x, a)", opset=18)
    assert [node.op_type for node in after.graph] == ["GlobalAveragePool", "Flatten"]


def test_one_and_three_dimensions() -> None:
    assert [node.op_type for node in pool("y = ReduceMean<axes=[2]>(x)", x="float[N,3,4] x")[0].graph] == [
        "GlobalAveragePool"
    ]
    after, _ = pool("y = ReduceMean<axes=[2,3,4], keepdims=0>(x)", x="float[N,3,4,2,2] x")
    assert [node.op_type for node in after.graph] == ["GlobalAveragePool", "Flatten"]


@pytest.mark.parametrize(
    "body",
    [
        "y = ReduceMean<axes=[1]>(x)",
        "y = ReduceMean<axes=[2]>(x)",
        "y = ReduceMean<axes=[1,2,3]>(x)",
        "y = ReduceMean(x)",
        "y = ReduceMax<axes=[2,3]>(x)",
        f"{NHWC} y = ReduceMean<axes=[1,3]>(t)",
    ],
)
def test_other_means_are_no_candidates(body: str) -> None:
    after, notes = pool(body)
    assert "GlobalAveragePool" not in [node.op_type for node in after.graph]
    assert notes == Notes()


def test_declined_with_the_reason() -> None:
    after, notes = pool("t = Transpose<perm=[1,0,2,3]>(x) y = ReduceMean<axes=[2,3], keepdims=0>(t)")
    assert [node.op_type for node in after.graph] == ["Transpose", "GlobalAveragePool", "Flatten"]
    after, notes = pool("t = Transpose<perm=[2,1,3,0]>(x) y = ReduceMean<axes=[0,2], keepdims=0>(t)")
    assert [node.op_type for node in after.graph] == ["Transpose", "ReduceMean"]
    assert [declined.reason for declined in notes.declined] == ["its result has the channels before the batch"]

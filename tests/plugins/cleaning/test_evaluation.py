"""A group of nodes is computed as onnxruntime computes it in the graph."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.errors import InvalidData
from onnxpress.testing import model
from onnxpress_plugins.cleaning.evaluation import evaluate


def test_only_what_leaves_the_group_is_returned() -> None:
    parsed = model("""g (float[3] x) => (y) <float[3] k = {1, 4, 9}, int64[1] axis = {0}> {
        r = Sqrt(k) s = ReduceSum<keepdims=0>(r, axis) y = Mul(x, s) }""")
    root, total, _ = parsed.graph
    (name, value), *more = [(value.name, array) for value, array in evaluate([root, total], parsed).items()]
    assert (name, more) == ("s", [])
    np.testing.assert_array_equal(value, np.float32(6))
    assert evaluate([root], parsed)[root.outputs[0]].tolist() == [1, 2, 3]


def test_a_group_without_users_is_not_run() -> None:
    parsed = model("g (float[3] x) => (y) <int64[1] k = {9}> { r = Gather(x, k) y = Relu(x) }")
    assert evaluate([parsed.graph[0]], parsed) == {}


def test_what_cannot_be_run_is_said() -> None:
    parsed = model("g (float[1] x) => (y) <float[2] c = {1, 2}, int64[1] k = {9}> { r = Gather(c, k) y = Add(x, r) }")
    with pytest.raises(
        InvalidData, match=r"onnxruntime cannot run the model on these inputs: .*indices element out of"
    ):
        evaluate([parsed.graph[0]], parsed)

"""Equal initialisers become one; nearly equal ones do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import model_files
from onnxpress.records import Notes
from onnxpress.testing import model
from onnxpress.verify import verify
from onnxpress_plugins.cleaning.initializer_sharing import ShareInitializers


def share(before: ir.Model) -> tuple[ir.Model, Notes]:
    after, notes = before.clone(), Notes()
    ShareInitializers(notes)(after)
    verify(after)
    return after, notes


def test_the_first_of_equals_stays() -> None:
    text = "g (float[2] x) => (y) <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] c = {1, 2}> {"
    after, notes = share(model(f"{text} s = Add(x, b) t = Add(s, a) y = Add(t, c) }}"))
    assert list(after.graph.initializers) == ["a"]
    assert {node.inputs[1].name for node in after.graph if node.inputs[1]} == {"a"}
    assert notes.counts == {"duplicate initialisers merged": 2}


def test_same_means_type_shape_and_bytes() -> None:
    constants = "float[2] a = {0, 1}, float[1,2] b = {0, 1}, double[2] c = {0, 1}, float[2] d = {-0.0, 1}"
    body = "s = Add(x, a) t = Add(s, b) u = Add(t, d) v = Cast<to=1>(c) y = Add(u, v)"
    after, notes = share(model(f"g (float[2] x) => (y) <{constants}> {{ {body} }}"))
    assert list(after.graph.initializers) == ["a", "b", "c", "d"]
    assert notes == Notes()


def test_inputs_and_outputs_keep_their_own() -> None:
    before = model(
        """g (float[2] x) => (y, b) <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] c = {1, 2}> {
            s = Add(x, a) y = Add(s, c) }"""
    )
    before.graph.inputs.append(before.graph.initializers["c"])
    assert list(share(before)[0].graph.initializers) == ["a", "b", "c"]


def test_a_subgraph_uses_that_of_the_graph_around_it() -> None:
    before = model(
        """g (float[2] x, bool flag) => (y) <float[2] a = {1, 2}> {
            s = Add(x, a)
            y = If(flag) <then_branch = f () => (float[2] p) <float[2] b = {1, 2}, float[2] c = {3, 4}> {
                              q = Add(s, b) p = Add(q, c) },
                          else_branch = h () => (float[2] r) <float[2] d = {3, 4}> { r = Add(s, d) }> }"""
    )
    after, _ = share(before)
    assert [list(graph.initializers) for graph in after.graphs()] == [["a"], ["c"], ["d"]]


def test_external_data_stay_where_they_are(tmp_path: Path) -> None:
    weight = np.arange(4096, dtype=np.float32).reshape(64, 64)
    text = "g (float[N,64] x, float[64,64] v, float[64,64] w) => (y) { a = MatMul(x, v) y = MatMul(a, w) }"
    model_files.save(model(text, v=weight, w=weight.copy()), tmp_path / "m.onnx", external_data=True)
    after, _ = share(model_files.load(tmp_path / "m.onnx"))
    (kept,) = after.graph.initializers.values()
    assert isinstance(kept.const_value, ir.ExternalTensor)
    np.testing.assert_array_equal(kept.const_value.numpy(), weight)


@pytest.mark.parametrize(("left", "right", "same"), [(0.0, 1.0, False), (0.0, -0.0, False), (np.nan, np.nan, True)])
def test_both_ends_agree_and_the_middle_decides(left: float, right: float, same: bool) -> None:
    weight = np.zeros((100, 100), np.float32)
    other = weight.copy()
    weight[50, 50], other[50, 50] = left, right
    text = "g (float[N,100] x, float[100,100] v, float[100,100] w) => (y) { a = MatMul(x, v) y = MatMul(a, w) }"
    after, _ = share(model(text, v=weight, w=other))
    assert list(after.graph.initializers) == (["v"] if same else ["v", "w"])


def test_texts() -> None:
    constants = 'string[1] a = {"one"}, string[1] b = {"one"}, string[1] c = {"two"}'
    before = model(
        f"g (bool f) => (y) <{constants}> {{ s = Where(f, a, c) t = Where(f, b, c) y = Concat<axis=0>(s, t) }}"
    )
    assert list(share(before)[0].graph.initializers) == ["a", "c"]

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import model_files
from onnxpress.errors import InvalidOption
from onnxpress.testing import model
from onnxpress.verify import infer_shapes
from onnxpress_backends.batching import with_batch

ADDITION = "g (float[N,4] x, float[M,4] a) => (float[N,4] y) { s = Add(x, a) y = Relu(s) }"

LOOP = """g (float[N,4] x, int64 count, bool go) => (float[N,4] y) {
    y = Loop(count, go, x) <body = b (int64 i, bool c, float[R,4] v) => (bool d, float[S,4] w) {
        d = Identity(c) w = Relu(v)
    }>
}"""
"""ONNX infers no shape for what a loop carries."""


def shape(value: ir.Value) -> list[Any]:
    assert value.shape is not None
    return [size if isinstance(size, int) else size.value for size in value.shape]


def test_open_batches_are_closed_and_shapes_follow() -> None:
    whole = model(ADDITION)
    fixed = with_batch(whole, 3)
    infer_shapes(fixed)
    assert [shape(value) for value in (*fixed.graph.inputs, *fixed.graph.outputs)] == [[3, 4]] * 3
    assert [shape(value) for value in (*whole.graph.inputs, *whole.graph.outputs)] == [["N", 4], ["M", 4], ["N", 4]]


def test_sizes_that_nothing_infers_stay(tmp_path: Path) -> None:
    fixed = with_batch(model(LOOP, count=np.array(2), go=np.array(True)), 3)
    infer_shapes(fixed)
    assert shape(fixed.graph.outputs[0]) == [None, 4]
    model_files.save(fixed, tmp_path / "net.onnx")
    assert shape(model_files.load(tmp_path / "net.onnx").graph.outputs[0]) == [None, 4]


@pytest.mark.parametrize(
    ("text", "batch", "sentence"),
    [
        (ADDITION, 0, "a batch has at least one sample, not 0"),
        (ADDITION.replace("N", "2"), 3, "input 'x' takes 2 samples, not 3; leave out the batch"),
    ],
)
def test_batches_that_contradict(text: str, batch: int, sentence: str) -> None:
    with pytest.raises(InvalidOption, match=sentence):
        with_batch(model(text), batch)

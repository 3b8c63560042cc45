from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress_frontends.tflite.contents import Graph, Operator, Tensor
from onnxpress_frontends.tflite.settling import settle_constants


def graph(code: str, packed: Tensor, unpacked: Tensor) -> Graph:
    operators = [
        Operator(code=code, inputs=(0,), outputs=(1,), options=None),
        Operator(code="ABS", inputs=(1,), outputs=(2,), options=None),
    ]
    return Graph(tensors=(packed, unpacked, unpacked), operators=tuple(operators), inputs=(), outputs=(2,))


def test_halves_become_numbers() -> None:
    halves = Tensor(name="w", dtype="float16", shape=(2,), data=np.array([0.5, 1.5], np.float16))
    settled = settle_constants(graph("DEQUANTIZE", halves, Tensor(name="v", dtype="float32", shape=(2,))))
    data = settled.tensors[1].data
    assert data is not None
    assert (data.dtype, data.tolist()) == (np.float32, [0.5, 1.5])
    assert [operator.code for operator in settled.operators] == ["ABS"]


def test_what_is_computed_is_left_alone() -> None:
    before = graph(
        "DEQUANTIZE", Tensor(name="w", dtype="int8", shape=(2,)), Tensor(name="v", dtype="float32", shape=(2,))
    )
    assert settle_constants(before).operators == before.operators


def test_integers_keep_their_grid(tf: Any, write: Any, network: Any) -> None:
    from onnxpress_frontends.tflite.reading import read

    contents = read(write(network, kind="int8"))
    quantised = [tensor for tensor in contents.graphs[0].tensors if tensor.data is not None and tensor.grid is not None]
    integers = quantised[0]
    settled = settle_constants(graph("DEQUANTIZE", integers, Tensor(name="v", dtype="float32", shape=integers.shape)))
    assert settled.tensors[1].data is integers.data
    assert settled.tensors[1].grid is integers.grid

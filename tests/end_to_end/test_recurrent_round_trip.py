"""Recurrent layers of Keras go to ONNX, to a frozen graph that we write, and to ONNX again: one node each all along.

These tests import TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
from onnxpress_frontends import tensorflow_source

RECURRENT = ("LSTM", "GRU", "RNN", "Loop", "Scan")


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    return keras


def recurrent(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.all_nodes() if node.op_type in RECURRENT)


def returned(model: ir.Model, folder: Path) -> ir.Model:
    """`model` by way of a frozen graph; the outputs of both agree."""
    path = folder / "model.pb"
    TENSORFLOW_PB.emit(model, path)
    back = tensorflow_source.load(path, outputs=[value.name for value in model.graph.outputs])
    session = Session(model)
    generator = np.random.default_rng(0)
    sizes = iter((2, 5) * len(session.inputs))
    feeds = {
        port.name: generator.standard_normal(
            [size if isinstance(size, int) else next(sizes) for size in port.shape]
        ).astype(port.dtype)
        for port in session.inputs
    }
    expected, actual = session.run(feeds), Session(back).run(feeds)
    for one, other in zip(expected.values(), actual.values(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5 * np.abs(one).max())
    return back


def layers(keras: Any) -> Any:
    """Every kind of cell, both directions, with all steps or the last."""
    x = inputs = keras.Input((None, 3), name="x")
    outputs = []
    for layer in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN):
        outputs.append(layer(4, return_sequences=True)(x))
        outputs.append(layer(4, go_backwards=True)(x))
        x = keras.layers.Bidirectional(layer(2, return_sequences=True))(x)
    outputs.append(keras.layers.GRU(2, reset_after=False)(x))
    network = keras.Model(inputs, outputs)
    generator = np.random.default_rng(1)
    network.set_weights([generator.uniform(-0.9, 0.9, w.shape).astype(w.dtype) for w in network.get_weights()])
    return network


def test_layers_of_keras(keras: Any, tmp_path: Path) -> None:
    model = tensorflow_source.load(layers(keras))
    assert recurrent(model) == recurrent(returned(model, tmp_path)) == {"LSTM": 4, "GRU": 5, "RNN": 4}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["masked", "convolutional", "each step", "attention"])
def test_what_no_node_computes_comes_back_with_the_same_numbers(keras: Any, tmp_path: Path, kind: str) -> None:
    layers = keras.layers
    shape = (4, 8, 8, 3) if kind == "convolutional" else (None, 5)
    x = inputs = keras.Input(shape, name="x")
    if kind == "masked":
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(layers.Masking()(x))
    elif kind == "convolutional":
        x = layers.ConvLSTM2D(5, 3, padding="same", return_sequences=True)(x)
    elif kind == "each step":
        x = layers.GRU(4)(layers.TimeDistributed(layers.Dense(3, activation="relu"))(x))
    else:
        x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 8)(x, x) + x)
    returned(tensorflow_source.load(keras.Model(inputs, x)), tmp_path)


def test_both_directions_of_one_node(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    shapes = {"w": (2, 8, 3), "r": (2, 8, 2), "b": (2, 16)}
    weights = {name: generator.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    text = """agraph (float[s,n,3] x, float[2,8,3] w, float[2,8,2] r, float[2,16] b) => (float[s,2,n,2] y) {
        y = LSTM<hidden_size = 2, direction = "bidirectional">(x, w, r, b)
    }"""
    assert recurrent(returned(parse(text, **weights), tmp_path)) == {"LSTM": 2}


def test_a_loop_in_a_branch(tmp_path: Path) -> None:
    text = """agraph (float[s,4] x, bool c) => (float[s,4] y) <int64 three = {3}, float[4] w = {1, 2, 3, 4}> {
        y = If (c) <
            then_branch = t () => (float[s,4] a) {
                a = Loop (three, , x) <
                    body = b (int64 i, bool going_on, float[s,4] v) => (bool still, float[s,4] n) {
                        n = Add(v, w)
                        still = Identity(going_on)
                    }
                >
            },
            else_branch = e () => (float[s,4] b) { b = Mul(x, w) }
        >
    }"""
    model = parse(text)
    TENSORFLOW_PB.emit(model, tmp_path / "model.pb")
    back = Session(tensorflow_source.load(tmp_path / "model.pb", outputs=["y"]))
    x = np.ones((2, 4), np.float32)
    for condition in (True, False):
        feeds = {"x": x, "c": np.array(condition)}
        np.testing.assert_array_equal(back.run(feeds)["y"], Session(model).run(feeds)["y"])


def test_a_loop_that_ends_when_it_says_and_collects_rows_of_unknown_size(tmp_path: Path) -> None:
    text = """agraph (float[s] x, float limit) => (float[n,s] y) {
        start = Constant<value = int64 {1}>()
        last, y = Loop (, true, start) <
            body = b (int64 i, bool going_on, int64 k) => (bool still, int64 l, float[s] row) {
                f = Cast<to = 1>(k)
                row = Mul(x, f)
                l = Add(k, k)
                total = ReduceSum<keepdims = 0>(row)
                still = Less(total, limit)
            }
        >
    }""".replace(") {", ") <bool true = {1}> {", 1)
    model = parse(text)
    TENSORFLOW_PB.emit(model, tmp_path / "model.pb")
    back = Session(tensorflow_source.load(tmp_path / "model.pb", outputs=["y"]))
    feeds = {"x": np.arange(1, 4, dtype=np.float32), "limit": np.array(40, np.float32)}
    np.testing.assert_array_equal(back.run(feeds)["y"], Session(model).run(feeds)["y"])

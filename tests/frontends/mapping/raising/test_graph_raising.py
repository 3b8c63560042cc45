"""Frozen graphs with lowered control flow, as TensorFlow's freezer makes them unless it is told otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress_frontends.mapping.raising.graph_raising import raise_control_flow
from onnxpress_frontends.tensorflow_source import load

RECURRENT = ("LSTM", "GRU", "RNN", "Loop", "Scan")


@pytest.fixture(scope="module")
def network(keras: Any) -> Any:
    layers, x = keras.layers, keras.Input((None, 3))
    sequence = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    network = keras.Model(x, [layers.GRU(4)(sequence), layers.SimpleRNN(2)(x), layers.LSTM(40)(x)])
    generator = np.random.default_rng(1)
    network.set_weights([generator.uniform(-0.9, 0.9, w.shape).astype(w.dtype) for w in network.get_weights()])
    return network


def test_recurrent_layers_are_one_node_each(network: Any, convert: Callable[..., Any]) -> None:
    model = convert(lambda x: network(x), (None, None, 3))
    found = Counter(node.op_type for node in model.graph.all_nodes() if node.op_type in RECURRENT)
    assert found == {"LSTM": 3, "GRU": 1, "RNN": 1}


def test_the_same_file_gives_the_same_bytes(network: Any, freeze: Callable[..., Any], tmp_path: Path) -> None:
    graph, outputs = freeze(lambda x: network(x), (None, None, 3))
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.SerializeToString(deterministic=True))
    models = [ir.serde.serialize_model(load(path, outputs=outputs)) for _ in range(2)]
    one, other = (model.SerializeToString(deterministic=True) for model in models)
    assert one == other


def is_left_alone(graph: Any, ends: list[str]) -> bool:
    before = graph.SerializeToString(deterministic=True)
    raise_control_flow(graph, ends)
    return bool(graph.SerializeToString(deterministic=True) == before)


def halving(tf: Any) -> Callable[[Any], Any]:
    return lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 0.5), (0, x))[1]


def test_a_graph_without_control_flow_is_left_alone(tf: Any, freeze: Callable[..., Any]) -> None:
    graph, outputs = freeze(tf.tanh, (None, 3))
    assert is_left_alone(graph, ["x", *outputs])


def test_a_graph_with_arrays_of_tensorflow_1_is_left_alone(tf: Any, freeze: Callable[..., Any]) -> None:
    graph, outputs = freeze(halving(tf), (None, 3))
    with tf.Graph().as_default() as arrays:
        tf.raw_ops.TensorArrayV3(size=1, dtype=tf.float32, name="array")
    graph.node.extend(arrays.as_graph_def().node)
    assert is_left_alone(graph, ["x", "array", *outputs])


@pytest.mark.parametrize("op", ["Enter", "Switch", "NextIteration", "LoopCond"])
def test_loops_of_another_form_are_left_alone_and_so_are_all(tf: Any, freeze: Callable[..., Any], op: str) -> None:
    graph, outputs = freeze(lambda x: [halving(tf)(x), halving(tf)(x + 1.0)], (None, 3))
    changed = [node for node in graph.node if node.op == op][-1]
    if op == "Enter":
        changed.attr["frame_name"].s = b"another"
    else:
        changed.op = "Identity"
    assert is_left_alone(graph, ["x", *outputs])

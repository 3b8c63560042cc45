"""Every variant of Keras' recurrent layers against TensorFlow, and loops in ONNX text that are one thing or another."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends import tensorflow_source
from onnxpress_frontends.mapping.recurrence.fusing import fuse_recurrent_loops

RECURRENT = ("LSTM", "GRU", "RNN", "Loop", "Scan")


def randomize(network: Any) -> Any:
    generator = np.random.default_rng(1)
    network.set_weights([generator.uniform(-0.9, 0.9, w.shape).astype(w.dtype) for w in network.get_weights()])
    return network


def convert(network: Any, *, lengths: tuple[int, ...] = (4, 7)) -> ir.Model:
    """Convert, and compare with TensorFlow for sequences of these lengths and for batches of 1 and 3."""
    converted = tensorflow_source.load(network)
    session, reference = Session(converted), tensorflow_source.reference(network)
    generator = np.random.default_rng(0)
    for batch, length in zip((1, 3), lengths, strict=False):
        feeds = {}
        for port in session.inputs:
            open_sizes = iter((batch, length))
            shape = [size if isinstance(size, int) else next(open_sizes) for size in port.shape]
            feeds[port.name] = generator.standard_normal(shape).astype(port.dtype)
        actual, expected = session.run(feeds), reference.run(feeds)
        assert list(actual) == list(expected)
        for name, array in expected.items():
            np.testing.assert_allclose(actual[name], array, rtol=0, atol=1e-5 * np.abs(array).max(), err_msg=name)
    return converted


def recurrent(converted: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in converted.graph.all_nodes() if node.op_type in RECURRENT)


def variants(cls: Any, *activations: str | None) -> list[Any]:
    """A layer for each option that every recurrent layer has, and for each of these activations."""
    choices: list[dict[str, Any]] = [
        {},
        {"return_sequences": True},
        {"return_sequences": True, "return_state": True},
        {"go_backwards": True},
        {"go_backwards": True, "return_sequences": True},
        {"use_bias": False, "return_sequences": True},
        {"dropout": 0.3, "recurrent_dropout": 0.2},
        *({"activation": activation, "return_sequences": True} for activation in activations),
    ]
    return [cls(2, **choice) for choice in choices]


def applied(keras: Any, layers: list[Any], x: Any) -> Any:
    outputs = [layer(x) for layer in layers]
    return keras.Model(x, [one for output in outputs for one in (output if isinstance(output, list) else [output])])


@pytest.mark.parametrize(
    ("layer", "op", "activations"),
    [
        ("LSTM", "LSTM", ("relu", None, "hard_sigmoid", "elu")),
        ("GRU", "GRU", ("relu", None, "softsign", "leaky_relu")),
        ("SimpleRNN", "RNN", ("relu", None, "hard_sigmoid", "softplus")),
    ],
)
def test_layers_are_one_node_each(keras: Any, layer: str, op: str, activations: tuple[str | None, ...]) -> None:
    layers = variants(getattr(keras.layers, layer), *activations)
    converted = convert(randomize(applied(keras, layers, keras.Input((None, 3)))))
    assert recurrent(converted) == {op: len(layers)}


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_gates_with_other_activations(keras: Any, layer: str) -> None:
    activations = ("hard_sigmoid", "relu", "softsign")
    layers = [getattr(keras.layers, layer)(2, recurrent_activation=name) for name in activations]
    layers.append(getattr(keras.layers, layer)(2, recurrent_activation="hard_sigmoid", activation="leaky_relu"))
    converted = convert(randomize(applied(keras, layers, keras.Input((None, 3)))))
    assert recurrent(converted) == {layer: len(layers)}
    node = next(node for node in converted.graph if "HardSigmoid" in (node.attributes.get_strings("activations") or ()))
    assert node.attributes["activation_alpha"].as_floats()[0] == pytest.approx(1 / 6)
    assert node.attributes["activation_beta"].as_floats()[0] == pytest.approx(1 / 2)


def test_gru_that_resets_before_the_matrix(keras: Any) -> None:
    layers = [
        keras.layers.GRU(2, reset_after=False, return_sequences=True),
        keras.layers.GRU(2, reset_after=False, use_bias=False, recurrent_activation="hard_sigmoid"),
        keras.layers.GRU(2, reset_after=False, go_backwards=True),
    ]
    converted = convert(randomize(applied(keras, layers, keras.Input((None, 3)))))
    assert recurrent(converted) == {"GRU": 3}
    nodes = [node for node in converted.graph if node.op_type == "GRU"]
    assert {node.attributes["linear_before_reset"].as_int() for node in nodes} == {0}


def test_both_directions_without_a_reversal(keras: Any) -> None:
    layers = [
        keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True)),
        keras.layers.Bidirectional(keras.layers.GRU(2)),
        keras.layers.Bidirectional(keras.layers.SimpleRNN(2, return_sequences=True), merge_mode="sum"),
    ]
    converted = convert(randomize(applied(keras, layers, keras.Input((None, 3)))))
    assert recurrent(converted) == {"LSTM": 2, "GRU": 2, "RNN": 2}
    assert not any(node.op_type in ("ReverseSequence", "Slice") for node in converted.graph)


def test_stacked_layers_of_fixed_length_and_a_dense_layer_between(keras: Any) -> None:
    layers = keras.layers
    x = keras.Input((5, 3))
    y = layers.Dense(4, activation="relu")(layers.LSTM(3, return_sequences=True)(x))
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(y)
    converted = convert(randomize(keras.Model(x, layers.SimpleRNN(4)(layers.LayerNormalization()(y)))), lengths=(5, 5))
    assert recurrent(converted) == {"LSTM": 1, "GRU": 2, "RNN": 1}


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_a_batch_of_one(keras: Any, layer: str) -> None:
    x = keras.Input((5, 3), batch_size=1)
    network = keras.Model(x, getattr(keras.layers, layer)(2, return_sequences=True)(x))
    converted = convert(randomize(network), lengths=(5,))
    assert recurrent(converted) == {layer.removeprefix("Simple"): 1}


def test_states_that_are_given(keras: Any) -> None:
    x, h, c = keras.Input((None, 3)), keras.Input((2,)), keras.Input((2,))
    lstm = keras.layers.LSTM(2, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    gru = keras.layers.GRU(2)(x, initial_state=lstm[1])
    converted = convert(randomize(keras.Model([x, h, c], [*lstm, gru])))
    assert recurrent(converted) == {"LSTM": 1, "GRU": 1}


def test_what_no_node_computes_stays_a_loop_and_is_right(keras: Any) -> None:
    layers = keras.layers
    others = [
        layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)], return_sequences=True),
        layers.GRU(2, recurrent_activation="tanh", activation="gelu"),
        layers.LSTM(2, activation="swish"),
        layers.LSTM(2, dtype="float64"),
    ]
    converted = convert(randomize(applied(keras, others, keras.Input((None, 3)))))
    assert recurrent(converted) == {"Loop": 4}


def test_masks_stay_loops_and_are_right(keras: Any) -> None:
    layers = keras.layers
    x = keras.Input((None,), dtype="int32")
    masked = layers.Embedding(3, 4, mask_zero=True)(x)
    outputs = [layers.LSTM(2, return_sequences=True)(masked), layers.Bidirectional(layers.GRU(2))(masked)]
    network = randomize(keras.Model(x, outputs))
    converted = tensorflow_source.load(network)
    assert recurrent(converted) == {"Loop": 3}
    words = np.array([[1, 2, 0, 0, 0], [0, 0, 2, 1, 1], [2, 0, 1, 0, 2]], np.int32)
    session = Session(converted)
    for actual, expected in zip(session.run({session.inputs[0].name: words}).values(), network(words), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_unrolled_layers_are_right(keras: Any) -> None:
    layers = [keras.layers.LSTM(2, unroll=True), keras.layers.GRU(2, unroll=True, return_sequences=True)]
    converted = convert(randomize(applied(keras, layers, keras.Input((3, 3)))), lengths=(3, 3))
    assert recurrent(converted) == {}


def traced(tf: Any, function: Any) -> Any:
    return tf.function(function, input_signature=[tf.TensorSpec((None, 4, 3), name="x")])


def test_a_loop_by_hand_is_a_node(tf: Any, by_hand: Any, agree: Any) -> None:
    assert recurrent(agree(traced(tf, by_hand.run))) == {"LSTM": 1}


def test_an_input_that_meets_its_weights_before_the_loop(tf: Any, by_hand: Any, agree: Any) -> None:
    def step(row: Any, h: Any, c: Any) -> Any:
        enter, forget, new, out = tf.split(row + h @ by_hand.recurrent, 4, axis=1)
        c = tf.sigmoid(forget) * c + tf.sigmoid(enter) * tf.tanh(new)
        return tf.sigmoid(out) * tf.tanh(c), c

    model = agree(traced(tf, lambda x: by_hand.run(x @ by_hand.kernel + 0.5, step=step)))
    assert recurrent(model) == {"LSTM": 1}
    assert not any(node.op_type in ("MatMul", "Add") for node in model.graph)


def test_a_product_of_inputs_is_no_input_that_meets_its_weights(tf: Any, by_hand: Any, agree: Any) -> None:
    model = agree(traced(tf, lambda x: by_hand.run(x @ tf.einsum("tbf,tbg->tfg", x, x))))
    assert recurrent(model) == {"LSTM": 1}
    assert any(node.op_type in ("MatMul", "Einsum") for node in model.graph)


def test_a_loop_that_reads_backwards_is_a_node_after_a_reversal(tf: Any, by_hand: Any, agree: Any) -> None:
    model = agree(traced(tf, lambda x: by_hand.run(tf.reverse(x, [0]))[::-1]))
    (node,) = (node for node in model.graph if node.op_type == "LSTM")
    assert node.attributes["direction"].as_string() == "reverse"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"step": "leaking"}, "gates are weighted by numbers other than one"),
        ({"step": "clipped"}, "c is no sum of the old c through a gate, and of a new one"),
        ({"step": "peeping"}, "it multiplies by a vector"),
        ({"step": "mixed_gates"}, "the gates have different activations"),
        ({"step": "normalised"}, "it contains ReduceMean"),
        ({"row": lambda time, steps: steps - 1 - time}, "it reads other rows than that of the step"),
        (
            {"goes_on": lambda time, steps, h: time < steps - 2},
            "whether it starts depends on more than its number of steps",
        ),
        ({"goes_on": lambda time, steps, h: (time < steps) & (h[0, 0] < 0.5)}, "it does not end at a number of steps"),
    ],
)
def test_what_is_nearly_an_lstm_stays_a_loop(
    tf: Any, by_hand: Any, agree: Any, options: dict[str, Any], reason: str
) -> None:
    options = {key: getattr(by_hand, value) if key == "step" else value for key, value in options.items()}
    model = agree(traced(tf, lambda x: by_hand.run(x, **options)))
    assert recurrent(model) == {"Loop": 1}
    (line,) = fuse_recurrent_loops(model)
    assert reason in line


@pytest.mark.parametrize(("steps", "op"), [(9, "LSTM"), (5, "Loop")])
def test_a_loop_over_some_rows_stays(tf: Any, by_hand: Any, agree: Any, steps: int, op: str) -> None:
    def function(x: Any) -> Any:
        zeros = tf.zeros((4, 2))
        rows = tf.TensorArray(tf.float32, 9).unstack(x)
        body = lambda i, h, c: (i + 1, *by_hand.lstm(rows.read(i), h, c))  # noqa: E731
        return tf.while_loop(lambda i, *_: i < steps, body, (0, zeros, zeros))[1]

    model = agree(tf.function(function, input_signature=[tf.TensorSpec((9, 4, 3), name="x")]))
    assert recurrent(model) == {op: 1}
    assert all("not certain to take a step for every row of its input" in line for line in fuse_recurrent_loops(model))


def test_a_loop_in_a_branch_is_a_node_there(tf: Any, by_hand: Any, agree: Any) -> None:
    def function(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 1e-6, lambda: by_hand.run(x), lambda: by_hand.run(-x) * 2)

    model = agree(traced(tf, function))
    assert recurrent(model) == {"LSTM": 2}
    assert not any(node.op_type == "LSTM" for node in model.graph)

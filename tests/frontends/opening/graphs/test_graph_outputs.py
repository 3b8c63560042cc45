from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder, train_graph, variable
from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.graph_outputs import find_output


@pytest.fixture
def found(tf: Any) -> Callable[..., str]:
    """The output that is found in the graph that a function builds."""

    def search(build: Callable[[], Any]) -> str:
        with tf.Graph().as_default() as graph:
            build()
        return find_output(graph.as_graph_def(), "graph.pb")

    return search


def train(tf: Any, loss: Any) -> None:
    tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(loss)


def dense(tf: Any, x: Any, name: str = "weight") -> Any:
    return tf.matmul(x, variable(tf, name, int(x.shape[1]), 3, use_resource=True))


@pytest.mark.parametrize("use_resource", [False, True])
def test_training_leaves_the_answer(tf: Any, found: Any, use_resource: bool) -> None:
    with control_flow(tf, 1):
        assert found(lambda: train_graph(tf, use_resource=use_resource)) == "scores:0"


def test_the_answer_may_be_used_by_the_loss_alone(tf: Any, found: Any) -> None:
    def build() -> None:
        label = placeholder(tf, "label", None, 3)
        logits = dense(tf, placeholder(tf, "x", None, 4))
        train(tf, tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=label, logits=logits)))

    assert found(build) == "MatMul:0"


def test_what_prepares_the_answer_for_loss_and_metrics_is_seen_through(tf: Any, found: Any) -> None:
    def build() -> None:
        label = placeholder(tf, "label", None, 3)
        y = tf.nn.softmax(dense(tf, placeholder(tf, "x", None, 4)), name="y")
        hits = tf.equal(tf.argmax(y, 1), tf.argmax(label, 1))
        tf.reduce_mean(tf.cast(hits, tf.float32), name="accuracy")
        train(tf, -tf.reduce_sum(label * tf.math.log(tf.clip_by_value(y, 1e-10, 1.0))))

    assert found(build) == "y:0"


def test_summaries_and_unused_moments_are_no_answers(tf: Any, found: Any) -> None:
    def build() -> None:
        x = tf.nn.relu(dense(tf, placeholder(tf, "x", None, 4)))
        mean, _ = tf.nn.moments(x, [1], keepdims=True)
        tf.compat.v1.summary.histogram("activations", x)
        tf.matmul(mean, variable(tf, "last", 1, 2, use_resource=True), name="y")

    assert found(build) == "y:0"


def test_a_mask_that_comes_in_beside_is_no_label(tf: Any, found: Any) -> None:
    def build() -> None:
        masked = dense(tf, placeholder(tf, "x", None, 4)) * placeholder(tf, "mask", None, 3)
        y = tf.identity(dense(tf, masked, "second"), name="y")
        train(tf, tf.reduce_mean(tf.math.squared_difference(y, placeholder(tf, "label", None, 3))))

    assert found(build) == "y:0"


def test_a_loss_without_labels_does_not_tell(tf: Any, found: Any) -> None:
    def build() -> None:
        x = placeholder(tf, "x", None, 3)
        decoded = tf.sigmoid(dense(tf, x), name="decoded")
        train(tf, tf.reduce_mean(tf.math.squared_difference(decoded, x), name="loss"))

    with pytest.raises(InvalidOption, match=r"1 nodes could be the output; name the outputs .* \(candidates: 'loss'\)"):
        found(build)


def test_two_heads_are_listed(tf: Any, found: Any) -> None:
    def build() -> None:
        x = placeholder(tf, "x", None, 4)
        tf.identity(dense(tf, x, "first"), name="boxes")
        tf.identity(dense(tf, x, "second"), name="scores")

    with pytest.raises(InvalidOption, match=r"2 nodes could be the output; .* \(candidates: 'boxes', 'scores'\)"):
        found(build)


@pytest.mark.parametrize("version", [1, 2])
def test_variables_of_a_loop_that_nothing_uses_are_no_answers(tf: Any, found: Any, version: int) -> None:
    def build() -> None:
        with control_flow(tf, version):
            x = placeholder(tf, "x", None, 3)
            _, state = tf.while_loop(lambda i, _: i < 3, lambda i, s: (i + 1, tf.tanh(s + x)), (0, x))
            tf.identity(state * 2.0, name="y")

    assert found(build) == "y:0"

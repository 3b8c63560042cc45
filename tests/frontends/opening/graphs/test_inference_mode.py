from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder
from onnxpress_frontends.tensorflow_source import load


@pytest.fixture
def switched(tf: Any, tmp_path: Path) -> Callable[..., Path]:
    """A graph with a boolean placeholder between two branches."""

    def write(name: str, yes: Callable[[Any], Any], no: Callable[[Any], Any], **options: Any) -> Path:
        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph, control_flow(tf, options.get("version", 1)):
            x = placeholder(tf, "x", None, 3)
            default = options.get("default")
            flag = v1.placeholder(tf.bool, (), name=name) if default is None else None
            flag = v1.placeholder_with_default(default, (), name=name) if flag is None else flag
            tf.identity(tf.cond(flag, lambda: yes(x), lambda: no(x)), name="y")
        path = tmp_path / "graph.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return path

    return write


def operators(model: Any) -> set[str]:
    return {node.op_type for node in model.graph.all_nodes()} - {"Identity"}


@pytest.mark.parametrize("version", [1, 2])
def test_the_side_without_random_numbers_is_taken_whatever_the_name(
    tf: Any, switched: Callable[..., Path], version: int
) -> None:
    noisy, plain = (lambda x: x + tf.random.normal(tf.shape(x))), tf.nn.relu
    assert operators(load(switched("Placeholder_2", noisy, plain, version=version))) == {"Relu"}
    assert operators(load(switched("Placeholder_2", plain, noisy, version=version))) == {"Relu"}


@pytest.mark.parametrize(
    ("name", "operator"), [("is_training", "Tanh"), ("keras_learning_phase", "Tanh"), ("is_test", "Relu")]
)
def test_a_name_decides_where_both_sides_could_be_inference(
    tf: Any, switched: Callable[..., Path], name: str, operator: str
) -> None:
    model = load(switched(name, tf.nn.relu, tf.tanh))
    assert (operators(model), [value.name for value in model.graph.inputs]) == ({operator}, ["x"])


def test_the_default_of_a_switch_does_not_count(tf: Any, switched: Callable[..., Path]) -> None:
    assert operators(load(switched("is_training", tf.nn.relu, tf.tanh, default=True))) == {"Tanh"}


def test_the_default_of_another_condition_counts(tf: Any, switched: Callable[..., Path]) -> None:
    model = load(switched("flip", tf.nn.relu, tf.tanh, default=True))
    assert [value.name for value in model.graph.inputs] == ["x"]


@pytest.mark.parametrize("version", [1, 2])
def test_another_condition_stays_an_input(tf: Any, agree: Any, switched: Callable[..., Path], version: int) -> None:
    path = switched("flip", tf.nn.relu, tf.tanh, version=version)
    model = load(path, inputs=["x", "flip"])
    assert [value.name for value in model.graph.inputs] == ["x", "flip"]
    assert "If" in operators(model)


def test_a_switch_that_is_named_stays_an_input(tf: Any, switched: Callable[..., Path]) -> None:
    model = load(switched("is_training", tf.nn.relu, tf.tanh), inputs=["x", "is_training"])
    assert [value.name for value in model.graph.inputs] == ["x", "is_training"]

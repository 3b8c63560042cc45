from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import control_flow, placeholder
from onnxpress.errors import InvalidModel, InvalidOption, OnnxpressError, UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


def names(values: Any) -> list[str]:
    return [value.name for value in values]


@pytest.fixture
def graph_file(tf: Any, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """Writes the graph that a function builds."""

    def write(build: Callable[[Any], None]) -> Path:
        with tf.Graph().as_default() as graph:
            build(tf.compat.v1)
        path = tmp_path / "graph.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return path

    return write


def test_inputs_and_outputs_are_found(agree: Any, frozen: Path) -> None:
    model = agree(frozen)
    assert (names(model.graph.inputs), names(model.graph.outputs)) == (["x"], ["scores"])
    assert [str(size) for size in model.graph.inputs[0].shape] == ["N", "8", "8", "3"]
    assert str(model.graph.outputs[0].shape[0]) == "N"


def test_any_node_can_be_an_input_or_output(agree: Any, frozen: Path) -> None:
    head = agree(frozen, inputs=["features:0"])
    assert (names(head.graph.inputs), names(head.graph.outputs)) == (["features"], ["scores"])
    stem = agree(frozen, outputs=["features", "scores"])
    assert names(stem.graph.outputs) == ["features", "scores"]


def test_a_placeholder_the_output_does_not_need_is_no_input(agree: Any, graph_file: Any) -> None:
    def build(tf: Any) -> None:
        x = tf.placeholder("float32", (None, 3), name="x")
        label = tf.placeholder("float32", (None, 3), name="label")
        y = tf.nn.relu(x, name="y")
        tf.reduce_mean(tf.squared_difference(y, label), name="loss")

    model = agree(graph_file(build), outputs=["y"])
    assert names(model.graph.inputs) == ["x"]


def test_several_leaves_are_listed(graph_file: Any) -> None:
    def build(tf: Any) -> None:
        x = tf.placeholder("float32", (None, 3), name="x")
        tf.nn.softmax(x, name="scores")
        tf.argmax(x, 1, name="best")

    with pytest.raises(InvalidOption, match="2 nodes could be the output; name the outputs") as caught:
        load(graph_file(build))
    assert "(candidates: 'scores', 'best')" in str(caught.value)


def test_a_placeholder_with_a_default_is_an_input_unless_it_is_a_scalar(agree: Any, graph_file: Any) -> None:
    def build(tf: Any) -> None:
        x = tf.placeholder_with_default(np.ones((2, 3), np.float32), (None, 3), name="x")
        scale = tf.placeholder_with_default(np.float32(3.0), (), name="scale")
        tf.multiply(x, scale, name="y")

    assert names(agree(graph_file(build)).graph.inputs) == ["x"]


def test_a_graph_without_placeholder_lists_where_it_could_begin(graph_file: Any) -> None:
    def build(tf: Any) -> None:
        tf.nn.relu(tf.fill((2, 3), 1.0, name="ones"), name="y")

    with pytest.raises(InvalidOption, match=r"depend on no placeholder; .* \(candidates: 'ones'\)"):
        load(graph_file(build))


def test_an_unknown_node_gets_the_nearest_name(frozen: Path) -> None:
    with pytest.raises(InvalidOption, match="has no node 'score'; did you mean 'scores'"):
        load(frozen, outputs=["score"])


def test_a_graph_that_is_not_frozen_is_refused(graph_file: Any) -> None:
    def build(tf: Any) -> None:
        x = tf.placeholder("float32", (None, 3), name="x")
        tf.matmul(x, tf.get_variable("weight", (3, 2)), name="y")

    with pytest.raises(UnsupportedModel, match="is not frozen: it holds 1 variables without values, first 'weight'"):
        load(graph_file(build))


def test_operators_unknown_to_tensorflow_are_named(frozen: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(frozen.read_bytes().replace(b"\x12\x04Relu", b"\x12\x04Rexu"))
    with pytest.raises(UnsupportedModel, match="uses operators that this TensorFlow does not know: 'Rexu'"):
        load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"none\.pb does not exist"):
        load(tmp_path / "none.pb")


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_files_are_refused_in_one_line(frozen: Path, tmp_path: Path, keep: float) -> None:
    content, path = frozen.read_bytes(), tmp_path / "graph.pb"
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(OnnxpressError) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(12, 300))])
def test_flipped_bits_give_an_error_or_a_sound_model(frozen: Path, tmp_path: Path, seed: int) -> None:
    content, generator = bytearray(frozen.read_bytes()), np.random.default_rng(seed)
    for position in generator.integers(0, len(content), 4):
        content[position] ^= 1 << int(generator.integers(8))
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    try:
        assert load(path).graph.outputs
    except OnnxpressError as error:
        assert "\n" not in str(error)


def test_text(agree: Any, frozen: Path, tmp_path: Path, tf: Any) -> None:
    graph = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    for name in ("graph.pbtxt", "text.pb"):
        (tmp_path / name).write_text(str(graph))
        assert names(agree(tmp_path / name).graph.outputs) == ["scores"]


def unroll_by_hand(tf: Any, version: int) -> None:
    """A loop over steps of ``x`` with a constant kernel, and a condition that the input decides."""
    kernel = np.random.default_rng(0).standard_normal((7, 4)).astype("float32")
    with control_flow(tf, version):
        x = placeholder(tf, "x", None, 5, 3)

        def step(index: Any, state: Any) -> Any:
            return index + 1, tf.tanh(tf.matmul(tf.concat([x[:, index], state], 1), kernel))

        state = tf.while_loop(lambda index, _: index < 5, step, (0, tf.zeros((tf.shape(x)[0], 4))))[1]
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: state * 2.0, lambda: tf.exp(state)), name="y")


@pytest.mark.parametrize("version", [1, 2])
def test_control_flow(agree: Any, graph_file: Any, tf: Any, version: int) -> None:
    agree(graph_file(lambda _: unroll_by_hand(tf, version)))


def test_functions_of_the_library(agree: Any, graph_file: Any, tf: Any) -> None:
    def build(_: Any) -> None:
        @tf.function(autograph=False)
        def layer(x: Any) -> Any:
            return tf.nn.relu(x) + 1.0

        tf.identity(layer(layer(placeholder(tf, "x", None, 3))), name="y")

    agree(graph_file(build))


def test_what_the_output_does_not_need_may_be_unknown_or_harmful(agree: Any, frozen: Path, tf: Any) -> None:
    with tf.Graph().as_default() as more:
        tf.io.write_file("/nowhere", "text", name="write")
    graph = more.as_graph_def()
    graph.node.add(name="exotic", op="MadeUpByHorovod")
    graph.MergeFrom(tf.compat.v1.GraphDef.FromString(frozen.read_bytes()))
    frozen.with_name("more.pb").write_bytes(graph.SerializeToString())
    agree(frozen.with_name("more.pb"), outputs=["scores"])


def test_colocation_and_devices_do_not_matter(agree: Any, frozen: Path, tf: Any) -> None:
    graph = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    for node in graph.node:
        node.device = "/job:worker/replica:0/task:3/device:GPU:7"
        node.attr["_class"].list.s.append(b"loc:@gone")
    frozen.with_name("placed.pb").write_bytes(graph.SerializeToString())
    agree(frozen.with_name("placed.pb"))


def test_an_input_that_the_output_does_not_need_stays(frozen: Path, tf: Any) -> None:
    graph = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    graph.node.add(name="extra", op="Placeholder").attr["dtype"].type = 1
    graph.node[-1].attr["shape"].shape.dim.add(size=3)
    frozen.with_name("extra.pb").write_bytes(graph.SerializeToString())
    model = load(frozen.with_name("extra.pb"), inputs=["x", "extra"], outputs=["scores"])
    assert names(model.graph.inputs) == ["x", "extra"]


def test_placeholders_that_are_left_out(graph_file: Any) -> None:
    def build(tf: Any) -> None:
        left, right = (tf.placeholder("float32", (None, 3), name=name) for name in ("left", "right"))
        tf.add(left, right, name="y")

    with pytest.raises(InvalidOption, match="the outputs also need placeholder 'right'; name all inputs with option"):
        load(graph_file(build), inputs=["left"])


def test_an_output_that_is_named_twice_is_one(frozen: Path) -> None:
    model = load(frozen, outputs=["features", "scores", "features:0"])
    assert len(names(model.graph.outputs)) == 2

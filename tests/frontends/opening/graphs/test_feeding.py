from __future__ import annotations

from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder
from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.feeding import feed, tensor_specs


@pytest.fixture
def split(tf: Any) -> Any:
    """``x`` split in two, whose halves are used by ``y``."""
    with tf.Graph().as_default() as graph:
        first, second = tf.split(placeholder(tf, "x", None, 6), 2, 1, name="halves")
        tf.add(tf.tanh(first), second, name="y")
    return graph.as_graph_def()


def node(graph: Any, name: str) -> Any:
    (found,) = (each for each in graph.node if each.name == name)
    return found


def test_types_and_shapes_are_inferred(tf: Any, split: Any) -> None:
    found = tensor_specs(split, ["halves:1", "y:0"], "graph.pb")
    assert found == [tf.TensorSpec((None, 3)), tf.TensorSpec((None, 3))]


def test_a_node_with_one_output_becomes_a_placeholder(split: Any) -> None:
    assert feed(split, ["Tanh:0"], "graph.pb") == {"Tanh:0": "Tanh"}
    assert (node(split, "Tanh").op, list(node(split, "Tanh").input)) == ("Placeholder", [])
    assert [dim.size for dim in node(split, "Tanh").attr["shape"].shape.dim] == [-1, 3]


def test_one_output_of_several_gets_a_placeholder_of_its_own(split: Any) -> None:
    assert feed(split, ["halves:1"], "graph.pb") == {"halves:1": "halves/fed_1"}
    assert list(node(split, "y").input) == ["Tanh", "halves/fed_1"]
    assert node(split, "halves").op == "Split"


def test_a_placeholder_stays(split: Any) -> None:
    before = split.SerializeToString(deterministic=True)
    assert feed(split, ["x:0"], "graph.pb") == {"x:0": "x"}
    assert split.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(("many", "shape"), [(False, (4,)), (True, (None, 4))])
def test_what_a_queue_was_declared_with(tf: Any, many: bool, shape: tuple[int | None, ...]) -> None:
    with tf.Graph().as_default() as built:
        queue = tf.queue.FIFOQueue(10, (tf.int32, tf.float32), ((), (4,)))
        _ = queue.dequeue_many(2, name="out") if many else queue.dequeue(name="out")
    graph = built.as_graph_def()
    standing = feed(graph, ["out:1"], "graph.pb")["out:1"]
    assert tf.TensorShape(node(graph, standing).attr["shape"].shape).as_list() == list(shape)


def test_shape_inference_reads_no_file(tf: Any, tmp_path: Any) -> None:
    """A shape that a file holds is computed while shapes are inferred, if TensorFlow is let."""
    (tmp_path / "shape").write_bytes(b"\x02\x00\x00\x00\x03\x00\x00\x00")
    with tf.Graph().as_default() as built:
        shape = tf.io.decode_raw(tf.io.read_file(str(tmp_path / "shape")), tf.int32)
        tf.reshape(placeholder(tf, "x", 6), shape, name="y")
    (spec,) = tensor_specs(built.as_graph_def(), ["y:0"], "graph.pb")
    assert spec.shape.rank is None


def test_python_functions_with_several_results(tf: Any) -> None:
    with tf.Graph().as_default() as built:
        image, label = tf.compat.v1.py_func(lambda: None, [], [tf.float32, tf.int64], name="read")
        tf.ensure_shape(image, (2, 2), name="image")
        tf.ensure_shape(label, (2,), name="label")
    found = tensor_specs(built.as_graph_def(), ["image:0", "label:0"], "graph.pb")
    assert found == [tf.TensorSpec((2, 2)), tf.TensorSpec((2,), tf.int64)]


def test_a_graph_that_makes_no_sense(split: Any) -> None:
    node(split, "y").input[0] = "halves/split_dim"
    with pytest.raises(InvalidModel, match=r"graph\.pb is not a sound TensorFlow graph: "):
        feed(split, ["y:0"], "graph.pb")

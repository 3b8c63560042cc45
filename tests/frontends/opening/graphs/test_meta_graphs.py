from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import placeholder, save, train_graph, values, variable
from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


def names(found: Any) -> list[str]:
    return [value.name for value in found]


def operators(model: Any) -> set[str]:
    return {node.op_type for node in model.graph.all_nodes()}


def test_a_training_checkpoint_becomes_the_network_it_trained(same: Any, trained: Any) -> None:
    model = same(trained)
    assert (names(model.graph.inputs), names(model.graph.outputs)) == (["image"], ["scores"])
    assert operators(model).isdisjoint({"If", "RandomUniform", "Where", "Loop"})


def test_any_tensor_can_be_an_output(same: Any, trained: Any) -> None:
    assert names(same(trained, outputs=["logits:0", "scores"]).graph.outputs) == ["logits", "scores"]


def test_the_meta_graph_may_be_text(same: Any, trained: Any, tf: Any, tmp_path: Any) -> None:
    from google.protobuf import text_format
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    for file in trained.source.parent.glob("model.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    meta = MetaGraphDef.FromString(trained.source.read_bytes())
    (tmp_path / "model.meta").write_text(text_format.MessageToString(meta))
    same(trained, tmp_path / "model.meta")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"node {"])
def test_a_meta_graph_that_is_none(plain: Any, content: bytes) -> None:
    plain.source.write_bytes(content)
    with pytest.raises(InvalidModel, match=r"model\.meta is not a TensorFlow meta graph, or is truncated or corrupt"):
        load(plain.source)


def test_no_restore_operation_runs(plain: Any, tf: Any) -> None:
    """The graph's own saver reads a checkpoint that is not there; the values come from the one beside it."""
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    meta = MetaGraphDef.FromString(plain.source.read_bytes())
    for node in meta.graph_def.node:
        if node.name == "save/Const":
            node.attr["value"].tensor.string_val[:] = [b"/nowhere/model"]
    plain.source.write_bytes(meta.SerializeToString())
    load(plain.source)


@pytest.mark.parametrize("version", [1, 2])
def test_loops_that_were_trained(same: Any, make: Any, tf: Any, version: int) -> None:
    """The gradient of a loop makes the loop itself keep every intermediate value."""

    def build() -> None:
        x = placeholder(tf, "x", None, 5, 3)
        kernel = variable(tf, "kernel", 7, 4, use_resource=True)
        start = tf.zeros((tf.shape(x)[0], 4))

        def step(index: Any, state: Any) -> Any:
            return index + 1, tf.tanh(tf.matmul(tf.concat([x[:, index], state], 1), kernel))

        _, state = tf.while_loop(lambda index, _: index < 5, step, (0, start))
        y = tf.multiply(state, 2.0, name="y")
        label = placeholder(tf, "label", None, 4)
        loss = tf.reduce_mean(tf.math.squared_difference(y, label))
        tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(loss)

    assert names(same(make(build, {"x": values(2, 5, 3)}, ["y"], version=version)).graph.outputs) == ["y"]


@pytest.mark.parametrize("version", [1, 2])
def test_arrays_of_tensors_that_were_trained(same: Any, make: Any, tf: Any, version: int) -> None:
    def build() -> None:
        x = placeholder(tf, "x", None, 5, 3)
        kernel = variable(tf, "kernel", 3, 4, use_resource=True)
        steps = tf.TensorArray(tf.float32, 5).unstack(tf.transpose(x, (1, 0, 2)))

        def step(index: Any, made: Any) -> Any:
            return index + 1, made.write(index, tf.tanh(tf.matmul(steps.read(index), kernel)))

        _, made = tf.while_loop(lambda index, _: index < 5, step, (0, tf.TensorArray(tf.float32, 5)))
        y = tf.transpose(made.stack(), (1, 0, 2), name="y")
        label = placeholder(tf, "label", None, 5, 4)
        loss = tf.reduce_mean(tf.math.squared_difference(y, label))
        tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(loss)

    same(make(build, {"x": values(2, 5, 3)}, ["y"], version=version))


def test_functions_that_take_variables(same: Any, make: Any, tf: Any) -> None:
    def build() -> None:
        kernel = variable(tf, "kernel", 4, 3, use_resource=True)

        @tf.function(autograph=False)
        def layer(x: Any) -> Any:
            return tf.nn.relu(tf.matmul(x, kernel))

        tf.identity(layer(placeholder(tf, "x", None, 4)), name="y")

    same(make(build, {"x": values(2, 4)}, ["y"], version=2))


def test_a_queue_s_batch_is_the_input(same: Any, make: Any, tf: Any) -> None:
    def build() -> None:
        queue = tf.queue.FIFOQueue(10, (tf.float32, tf.int64), ((4,), ()), name="queue")
        queue.enqueue_many((tf.ones((3, 4)), tf.zeros(3, tf.int64)))
        x, _ = queue.dequeue_many(2, name="batch")
        tf.matmul(x, variable(tf, "weight", 4, 3, use_resource=False), name="y")

    original = make(build, {"batch": values(2, 4)}, ["y"])
    model = same(original)
    assert (names(model.graph.inputs), str(model.graph.inputs[0].shape)) == (["batch"], "[N,4]")


def test_what_an_iterator_hands_out_is_the_input(same: Any, make: Any, tf: Any) -> None:
    def build() -> None:
        images, labels = np.ones((6, 4), np.float32), np.zeros(6, np.int64)
        data = tf.compat.v1.data.Dataset.from_tensor_slices((labels, images)).batch(2)
        label, x = tf.compat.v1.data.make_initializable_iterator(data).get_next()
        logits = tf.matmul(x, variable(tf, "weight", 4, 3, use_resource=True), name="y")
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
        tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(loss))

    model = same(make(build, {"IteratorGetNext:1": values(2, 4)}, ["y"]))
    assert names(model.graph.inputs) == ["IteratorGetNext:1"]


def test_several_features_of_a_parser_are_listed(make: Any, tf: Any) -> None:
    def build() -> None:
        features = {name: tf.io.FixedLenFeature((3,), tf.float32) for name in ("a", "b")}
        text = tf.compat.v1.placeholder(tf.string, (None,), name="text")
        parsed = tf.io.parse_example(text, features, name="features")
        tf.matmul(parsed["a"] + parsed["b"], variable(tf, "weight", 3, 3, use_resource=False), name="y")

    original = make(build, {}, [])
    message = r"reads its inputs through a pipeline .* \(candidates: 'features/features', 'features/features:1'\)"
    with pytest.raises(InvalidOption, match=message):
        load(original.source)
    model = load(original.source, inputs=["features/features", "features/features:1"])
    assert names(model.graph.inputs) == ["features/features", "features/features:1"]


def test_a_python_function_in_the_pipeline_does_not_matter(make: Any, tf: Any) -> None:
    def build() -> None:
        x = tf.compat.v1.py_func(lambda: np.ones((2, 4), np.float32), [], tf.float32, name="read")
        x = tf.ensure_shape(x, (None, 4), name="batch")
        tf.matmul(x, variable(tf, "weight", 4, 3, use_resource=False), name="y")

    original = make(build, {}, [])
    assert names(load(original.source, inputs=["batch"]).graph.inputs) == ["batch"]
    with pytest.raises(InvalidOption, match="the outputs depend on no placeholder"):
        load(original.source)


def test_an_output_that_only_training_computes(make: Any, tf: Any) -> None:
    def build() -> None:
        x = placeholder(tf, "x", None, 4)
        flag = tf.compat.v1.placeholder(tf.bool, (), name="is_training")
        weight = variable(tf, "weight", 4, use_resource=False)
        tf.cond(flag, lambda: tf.multiply(x, weight, name="noisy"), lambda: x)

    original = make(build, {}, [])
    with pytest.raises(InvalidOption, match=r"output 'cond/noisy' is computed in training only; name one that infer"):
        load(original.source, outputs=["cond/noisy"])


def test_a_graph_without_training_is_opened_too(same: Any, plain: Any) -> None:
    assert names(same(plain).graph.outputs) == ["y"]


def test_refusals_of_what_a_session_would_do(make: Any, tf: Any) -> None:
    def build() -> None:
        x = placeholder(tf, "x", None, 4)
        content = tf.io.decode_raw(tf.io.read_file("/etc/hostname"), tf.uint8)[:4]
        tf.add(x, tf.cast(content, tf.float32) * variable(tf, "weight", 4, use_resource=False), name="y")

    original = make(build, {}, [])
    with pytest.raises(UnsupportedModel, match=r"holds operators that run code or touch files: ReadFile \(first 'Read"):
        load(original.source, inputs=["x"], outputs=["y"])


def test_two_conversions_in_one_process_do_not_mix_their_functions(tf: Any, same: Any, tmp_path: Any) -> None:
    """Both graphs call their functions the same."""
    originals = []
    for index in range(2):
        with tf.Graph().as_default():
            x, scale = placeholder(tf, "x", None, 4), variable(tf, "scale", 4, use_resource=True)

            @tf.function(autograph=False)
            def layer(x: Any, index: int = index, scale: Any = scale) -> Any:
                return tf.tanh(x) * scale if index else tf.sigmoid(x) * scale

            tf.identity(layer(x), name="y")
            originals.append(save(tf, str(tmp_path / f"model{index}"), {"x": values(2, 4)}, ["y"]))
    for original in (*originals, *originals):
        same(original)


def test_the_same_bytes_every_time(tf: Any, trained: Any) -> None:
    from onnxpress import model_files

    first, second = (model_files.to_proto(load(trained.source)).SerializeToString() for _ in range(2))
    assert first == second


def test_training_graphs_of_one_program_may_lie_in_one_process(tf: Any, same: Any, tmp_path: Any) -> None:
    for index in range(2):
        with tf.Graph().as_default():
            train_graph(tf, use_resource=True)
            original = save(tf, str(tmp_path / f"model{index}"), {"image": values(2, 8, 8, 3)}, ["scores"])
        same(original)

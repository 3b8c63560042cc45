"""Graphs of TensorFlow itself: control flow, arithmetic, old formats, and what ONNX has no words for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from failures.case import Array, Case, Sample, by_command, of_function, of_graph, values


def _function(
    compute: Callable[[Any, Any], Any], feed: Array, *, large_model: bool = False
) -> Callable[[Path], Sample]:
    def make(_: Path) -> Sample:
        import tensorflow as tf

        return of_function(lambda x: compute(tf, x), feed, large_model=large_model)

    return make


def _frozen_loop(folder: Path) -> Sample:
    """A While of TensorFlow 2 that collects its rounds, frozen by the freezer of TensorFlow 1."""
    import tensorflow as tf

    v1, feed = tf.compat.v1, values(2, 4)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        weight = v1.get_variable("weight", initializer=values(4, 4, seed=1), use_resource=True)

        def step(i: Any, y: Any, rounds: Any) -> tuple[Any, Any, Any]:
            y = tf.tanh(y @ weight)
            return i + 1, y, rounds.write(i, y)

        rounds = tf.TensorArray(tf.float32, 3, element_shape=(None, 4))
        _, _, rounds = tf.while_loop(lambda i, *_: i < 3, step, [tf.constant(0), x, rounds])
        y = tf.identity(rounds.stack(), name="y")
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y"])
        return of_graph(folder, frozen, feed, session.run(y, {x: feed}))


def _network(tf: Any, *, training: bool) -> tuple[Any, Any]:
    """``x`` to ``y`` in graph mode, with a variable; for training, with dropout behind a switch."""
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, (None, 4), name="x")
    y = x @ v1.get_variable("weight", initializer=values(4, 3, seed=1))
    if training:
        is_training = v1.placeholder(tf.bool, (), name="is_training")
        y = tf.cond(is_training, lambda: v1.nn.dropout(y, rate=0.5), lambda: y)
    return x, tf.nn.softmax(y, name="y")


def _checkpoint(name: str, *, training: bool = False) -> Callable[[Path], Sample]:
    def make(folder: Path) -> Sample:
        import tensorflow as tf

        v1, feed = tf.compat.v1, values(2, 4)
        prefix, meta = f"{folder}/{name}", folder / f"{name}.meta"
        with tf.Graph().as_default(), v1.Session() as session:
            x, y = _network(tf, training=training)
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, f"{folder}/model")
            switch = {"is_training:0": False} if training else {}
            expected = session.run(y, {x: feed} | switch)
        for path in folder.glob("model.*"):
            path.rename(f"{prefix}{path.name.removeprefix('model')}")
        stock = by_command("--checkpoint", meta, "--inputs", "x:0", "--outputs", "y:0")
        return Sample(source=meta, stock=stock, feeds=[feed], expected=[expected])

    return make


def _old_saved_model(*, table: bool) -> Callable[[Path], Sample]:
    """A SavedModel of TensorFlow 1, on request with a lookup table that no output needs and whose file is gone."""

    def make(folder: Path) -> Sample:
        import tensorflow as tf

        v1, feed, path, words = tf.compat.v1, values(2, 4), folder / "saved_model", folder / "words.txt"
        words.write_text("cat\ndog\n")
        with tf.Graph().as_default(), v1.Session() as session:
            x, y = _network(tf, training=False)
            if table:
                columns = tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
                start = tf.lookup.TextFileInitializer(
                    str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, *columns
                )
                tf.lookup.StaticHashTable(start, -1)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(path), {"image": x}, {"scores": y}, v1.tables_initializer())
            expected = session.run(y, {x: feed})
        words.unlink()
        return Sample(source=path, stock=by_command("--saved-model", path), feeds=[feed], expected=[expected])

    return make


def _text(folder: Path) -> Sample:
    import tensorflow as tf

    v1, feed, path = tf.compat.v1, values(2, 4), folder / "graph.pbtxt"
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        y = tf.nn.relu(x @ tf.constant(values(4, 3)), name="y")
        tf.io.write_graph(graph, str(folder), path.name, as_text=True)
        expected = session.run(y, {x: feed})
    stock = by_command("--graphdef", path, "--inputs", "x:0", "--outputs", "y:0")
    return Sample(source=path, stock=stock, feeds=[feed], expected=[expected])


def _unsupported(folder: Path) -> Sample:
    """By both command lines: the exit code is the point."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
        def __call__(self, x: Any) -> Any:
            return tf.strings.length(tf.strings.upper(tf.strings.as_string(tf.matmul(x, values(4, 3)))))

    path = folder / "saved_model"
    tf.saved_model.save(Module(), str(path))
    return Sample(source=path, stock=by_command("--saved-model", path), feeds=[], expected=[])


def _assigned(_: Path) -> Sample:
    import tensorflow as tf

    count = tf.Variable(1.0)

    def compute(x: Any) -> Any:
        count.assign_add(1.0)
        return x * count

    return of_function(compute, values(2, 4))


def _reversed_array(tf: Any, x: Any) -> Any:
    array = tf.TensorArray(tf.float32, 4, element_shape=(3,))
    _, array = tf.while_loop(lambda i, _: i < 4, lambda i, a: (i + 1, a.write(3 - i, x[i])), [tf.constant(0), array])
    return array.stack()


INDICES = np.array([[1], [3], [1]], np.int32)

CASES = (
    Case(name="While of control flow 2 in a frozen graph", make=_frozen_loop),
    Case(name="TensorArray filled from its end", make=_function(_reversed_array, values(4, 3))),
    Case(
        name="floor division of negative integers",
        make=_function(lambda tf, x: x // 3, np.array([[-7, -6, -1, 1, 7]], np.int32)),
    ),
    Case(
        name="scatter_nd, one place twice",
        make=_function(lambda tf, x: tf.scatter_nd(INDICES, x, (5, 2)), values(3, 2)),
    ),
    Case(
        name="one_hot of -1",
        make=_function(lambda tf, x: tf.one_hot(x, 4), np.array([[-1, 0, 3]], np.int32)),
    ),
    Case(
        name="resize from 11 to 13 rows",
        make=_function(lambda tf, x: tf.image.resize(x, (13, 13)), values(1, 11, 11, 3)),
    ),
    Case(
        name="large_model=True (weights beyond 2 GB)",
        make=_function(lambda tf, x: x @ values(64, 64, seed=1), values(2, 64), large_model=True),
    ),
    Case(name="frozen graph as text (.pbtxt)", make=_text),
    Case(name="checkpoint of TensorFlow 1", make=_checkpoint("model")),
    Case(name="checkpoint with an empty base name", make=_checkpoint("")),
    Case(name="training checkpoint with an is_training switch", make=_checkpoint("model", training=True)),
    Case(name="SavedModel of TensorFlow 1", make=_old_saved_model(table=False)),
    Case(name="SavedModel of TensorFlow 1, an unused table without its file", make=_old_saved_model(table=True)),
    Case(name="operators without ONNX form, command line", make=_unsupported, refused=True),
    Case(
        name="Python function in the graph",
        make=_function(lambda tf, x: tf.reshape(tf.py_function(abs, [x], tf.float32), (-1, 4)), values(2, 4)),
        refused=True,
    ),
    Case(name="variable changed by the model", make=_assigned, refused=True),
)

"""Sources of TensorFlow 1, made in graph mode, each with what a session computes on the original graph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference


@dataclass(frozen=True)
class Original:
    """A source, what was fed to its graph by tensor name, and what a session then gave."""

    source: Path
    feeds: dict[str, Any]
    expected: dict[str, Any]


Same = Callable[..., Any]


@pytest.fixture(scope="session")
def same() -> Same:
    """Convert, and assert that onnxruntime and the reference give what the session gave, to 1e-5 of the largest."""

    def check(original: Original, source: Path | None = None, **options: Any) -> Any:
        model = load(source or original.source, **options)
        ends = [value.name for value in model.graph.inputs]
        feeds = {name: original.feeds[name] for name in ends}
        for runner in (Session(model), reference(source or original.source, **options)):
            results = runner.run(feeds)
            assert list(results) == [value.name for value in model.graph.outputs]
            for name, array in results.items():
                scale = np.abs(original.expected[name]).max()
                assert scale > 0
                np.testing.assert_allclose(array, original.expected[name], rtol=0, atol=1e-5 * scale, err_msg=name)
        return model

    return check


@contextlib.contextmanager
def control_flow(tf: Any, version: int) -> Iterator[None]:
    """Conditions and loops as Switch and Merge (1), or as If and While with functions (2)."""
    v1 = tf.compat.v1
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if version == 2 else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


def values(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(0.1, 1.0, shape).astype("float32")


def variable(tf: Any, name: str, *shape: int, use_resource: bool, trainable: bool = True) -> Any:
    """A variable with values of its own."""
    start = tf.compat.v1.constant_initializer(values(*shape, seed=len(name)))
    return tf.compat.v1.get_variable(name, shape, initializer=start, use_resource=use_resource, trainable=trainable)


def normalise(tf: Any, x: Any, is_training: Any, *, use_resource: bool) -> Any:
    """Batch normalisation by hand: statistics of the batch while training, which move those kept for inference."""
    mean = variable(tf, "moving_mean", 8, use_resource=use_resource, trainable=False)
    variance = variable(tf, "moving_variance", 8, use_resource=use_resource, trainable=False)
    gamma, beta = (variable(tf, name, 8, use_resource=use_resource) for name in ("gamma", "beta"))

    def of_batch() -> Any:
        now = tf.nn.moments(x, (0, 1, 2))
        moves = [
            tf.compat.v1.assign_sub(kept, 0.1 * (kept - new)) for kept, new in zip((mean, variance), now, strict=True)
        ]
        with tf.control_dependencies(moves):
            return [tf.identity(each) for each in now]

    used = tf.cond(is_training, of_batch, lambda: [tf.identity(mean), tf.identity(variance)])
    return tf.nn.batch_normalization(x, *used, beta, gamma, 1e-3)


def train_graph(tf: Any, *, use_resource: bool) -> None:
    """A small network as it is trained: ``image`` to ``scores``, loss, metrics, summaries, optimiser and saver."""
    v1 = tf.compat.v1
    image = v1.placeholder(tf.float32, (None, 8, 8, 3), name="image")
    label = v1.placeholder(tf.int64, (None,), name="label")
    is_training = v1.placeholder_with_default(True, (), name="is_training")
    kernel = variable(tf, "conv/kernel", 3, 3, 3, 8, use_resource=use_resource)
    x = tf.nn.relu(normalise(tf, tf.nn.conv2d(image, kernel, 1, "SAME"), is_training, use_resource=use_resource))
    x = tf.reshape(x, (-1, 512))
    x = tf.cond(is_training, lambda: v1.nn.dropout(x, rate=0.5), lambda: x)
    weight = variable(tf, "dense/kernel", 512, 10, use_resource=use_resource)
    logits = tf.matmul(x, weight * 0.01, name="logits")
    tf.nn.softmax(logits, name="scores")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
    loss = tf.reduce_mean(losses, name="loss") + 1e-3 * tf.nn.l2_loss(weight)
    hits = tf.equal(tf.argmax(logits, 1), label)
    v1.summary.scalar("accuracy", tf.reduce_mean(tf.cast(hits, tf.float32)))
    v1.summary.histogram("kernel", kernel)
    v1.summary.merge_all()
    step = v1.train.get_or_create_global_step()
    v1.train.AdamOptimizer(1e-3).minimize(loss, global_step=step)


def save(tf: Any, prefix: str, feeds: dict[str, Any], outputs: list[str], **saver: Any) -> Original:
    """Initialise, save, and compute `outputs` for inference."""
    v1 = tf.compat.v1
    graph = v1.get_default_graph()
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        v1.train.Saver(**saver).save(session, prefix)
        flags = (
            {} if "is_training" not in {node.name for node in graph.as_graph_def().node} else {"is_training:0": False}
        )
        fed = {f"{name}:0": array for name, array in feeds.items()} | flags
        found = session.run([f"{name}:0" for name in outputs], fed)
    return Original(Path(f"{prefix}.meta"), feeds, dict(zip(outputs, found, strict=True)))


@pytest.fixture(scope="session", params=[(False, 1), (True, 1), (True, 2)], ids=str)
def trained(request: pytest.FixtureRequest, tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """The checkpoint of `train_graph`, with reference and resource variables, and both kinds of control flow."""
    use_resource, version = request.param
    prefix = tmp_path_factory.mktemp("trained") / "model"
    with tf.Graph().as_default(), control_flow(tf, version):
        train_graph(tf, use_resource=use_resource)
        return save(tf, str(prefix), {"image": values(2, 8, 8, 3)}, ["scores", "logits"])


@pytest.fixture(scope="session")
def plain(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A checkpoint of one layer: ``x`` to ``y``, variables ``weight`` and ``bias``."""
    prefix = tmp_path_factory.mktemp("plain") / "model"
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        weight, bias = (
            variable(tf, name, *shape, use_resource=False) for name, shape in (("weight", (4, 3)), ("bias", (3,)))
        )
        tf.add(tf.matmul(x, weight), bias, name="y")
        return save(tf, str(prefix), {"x": values(2, 4)}, ["y"])

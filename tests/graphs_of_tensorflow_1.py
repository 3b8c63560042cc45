"""Graphs of TensorFlow 1 as they are trained and saved, made in graph mode."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Original:
    """A source, what was fed to its graph by tensor name, and what a session then gave."""

    source: Path
    feeds: dict[str, Any]
    expected: dict[str, Any]


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


def placeholder(tf: Any, name: str, *shape: int | None) -> Any:
    """A float placeholder."""
    return tf.compat.v1.placeholder(tf.float32, shape, name=name)


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
        fed = {name if ":" in name else f"{name}:0": array for name, array in feeds.items()} | flags
        found = session.run([f"{name}:0" for name in outputs], fed)
    return Original(Path(f"{prefix}.meta"), feeds, dict(zip(outputs, found, strict=True)))

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import Original, placeholder, values, variable
from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


def fused(tf: Any, x: Any, mean: Any, variance: Any, **options: Any) -> Any:
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=tf.ones(3), offset=tf.zeros(3), mean=mean, variance=variance, epsilon=1e-3, **options
    )


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_norm_built_for_training_uses_what_it_keeps(same: Any, make: Any, tf: Any, use_resource: bool) -> None:
    def build() -> None:
        v1 = tf.compat.v1
        x = placeholder(tf, "x", None, 2, 2, 3)
        mean, variance = (variable(tf, name, 3, use_resource=use_resource) for name in ("moving_mean", "variance"))
        y, *of_batch, _, _, _ = fused(tf, x, tf.constant([]), tf.constant([]), is_training=True)
        for kept, new in zip((mean, variance), of_batch, strict=True):
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_sub(kept, (kept - new) * 0.1))
        tf.nn.relu(y, name="y")
        tf.nn.relu(fused(tf, x, mean, variance, is_training=False)[0], name="expected")

    original = make(build, {"x": values(2, 2, 2, 3)}, ["expected"])
    expected = {"y": original.expected["expected"]}
    model = same(Original(original.source, original.feeds, expected), outputs=["y"])
    assert np.abs(expected["y"]).max() > 0 and len(model.graph.outputs) == 1


def test_a_norm_that_keeps_nothing_is_refused(tf: Any, tmp_path: Any) -> None:
    with tf.Graph().as_default() as graph:
        x = placeholder(tf, "x", None, 2, 2, 3)
        tf.nn.relu(fused(tf, x, tf.constant([]), tf.constant([]), is_training=True)[0], name="y")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    message = (
        "FusedBatchNormV3 'FusedBatchNormV3' normalises by the statistics of the batch and keeps none for inference"
    )
    with pytest.raises(UnsupportedModel, match=message):
        load(tmp_path / "graph.pb")

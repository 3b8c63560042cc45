"""Sources of TensorFlow 1, each with what a session computes on the original graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import Original, control_flow, placeholder, save, train_graph, values, variable
from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load, reference

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


@pytest.fixture(scope="session", params=[(False, 1), (True, 1), (True, 2)], ids=str)
def trained(request: pytest.FixtureRequest, tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """The checkpoint of `train_graph`, with reference and resource variables, and both kinds of control flow."""
    use_resource, version = request.param
    prefix = tmp_path_factory.mktemp("trained") / "model"
    with tf.Graph().as_default(), control_flow(tf, version):
        train_graph(tf, use_resource=use_resource)
        return save(tf, str(prefix), {"image": values(2, 8, 8, 3)}, ["scores", "logits"])


Make = Callable[..., Original]


@pytest.fixture
def make(tf: Any, tmp_path: Path) -> Make:
    """A checkpoint of the graph that a function builds, with what a session computes on it."""

    def checkpoint(
        build: Callable[[], Any], feeds: dict[str, Any], outputs: list[str], *, version: int = 1, **saver: Any
    ) -> Original:
        with tf.Graph().as_default(), control_flow(tf, version):
            build()
            return save(tf, str(tmp_path / "model"), feeds, outputs, **saver)

    return checkpoint


@pytest.fixture
def plain(tf: Any, make: Make) -> Original:
    """A checkpoint of one layer: ``x`` to ``y``, variables ``weight`` and ``bias``."""

    def build() -> None:
        x = placeholder(tf, "x", None, 4)
        weight = variable(tf, "weight", 4, 3, use_resource=False)
        tf.add(tf.matmul(x, weight), variable(tf, "bias", 3, use_resource=False), name="y")

    return make(build, {"x": values(2, 4)}, ["y"])

from __future__ import annotations

from typing import Any

import pytest

from onnxpress import convert
from onnxpress_frontends.mapping import tf2onnx_optimizers


def test_an_optimiser_that_fails_is_left_out_and_named(cnn: Any, agree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def _optimize(self, graph: Any) -> None:
            node = next(node for node in graph.get_nodes() if node.type == "Relu")
            graph.remove_node(node.name)  # what it leaves behind is broken
            raise ValueError("max() arg is an empty sequence")

    whole = tf2onnx_optimizers.optimizers()
    monkeypatch.setattr(tf2onnx_optimizers, "optimizers", lambda: {**whole, "broken": Failing})
    agree(cnn)
    warnings = convert(cnn).run.warnings
    assert warnings == ["tf2onnx's optimiser 'broken' failed and was left out: max() arg is an empty sequence"]


def test_nodes_keep_their_order_when_unused_ones_are_dropped(
    cnn: Any, agree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[bool] = []

    class Dropping:
        graph_been_opt = False

        def _optimize(self, graph: Any) -> None:
            before = [node.name for node in graph.get_nodes()]
            graph.delete_unused_nodes(graph.outputs)
            after = [node.name for node in graph.get_nodes()]
            met.append(len(after) > 5 and after == [name for name in before if name in after])

    whole = tf2onnx_optimizers.optimizers()
    monkeypatch.setattr(tf2onnx_optimizers, "optimizers", lambda: {"first": Dropping, **whole, "last": Dropping})
    agree(cnn)
    assert len(met) >= 2 and all(met)

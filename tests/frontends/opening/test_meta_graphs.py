from __future__ import annotations

from typing import Any


def names(found: Any) -> list[str]:
    return [value.name for value in found]


def test_a_training_checkpoint_becomes_the_network_it_trained(same: Any, trained: Any) -> None:
    model = same(trained)
    assert (names(model.graph.inputs), names(model.graph.outputs)) == (["image"], ["scores"])
    assert {node.op_type for node in model.graph}.isdisjoint({"If", "RandomUniform", "Where"})

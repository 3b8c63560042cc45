from __future__ import annotations

from typing import Any

import pytest

from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.names import attribute, find_tensor, listed, tensor_name, unique_name

NODES = {"conv": 0, "relu": 0, "pool": 0, "scores": 0}


def test_the_first_output_needs_no_number() -> None:
    assert (tensor_name("a/b"), tensor_name("a/b:0"), tensor_name("a/b:2")) == ("a/b:0", "a/b:0", "a/b:2")
    assert find_tensor("conv", NODES, "graph") == "conv:0"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("score", "did you mean 'scores'?"), ("zzz", "its last nodes: 'relu', 'pool', 'scores'"), ("conv:x", "'conv'")],
)
def test_an_unknown_name(name: str, hint: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        find_tensor(name, NODES, "graph")
    assert f"graph has no node {name!r}; " in str(caught.value) and hint in str(caught.value)


def test_lists_for_messages() -> None:
    assert (listed([]), listed(["a:0", "b:1"])) == ("none", "'a', 'b:1'")
    assert listed([f"n{index}" for index in range(11)]).endswith("'n7' and 3 more")


def test_a_name_that_is_taken() -> None:
    assert (unique_name("new", NODES), unique_name("conv", {"conv", "conv_"})) == ("new", "conv__")


def test_asking_for_an_attribute_does_not_make_it(tf: Any) -> None:
    node = tf.compat.v1.NodeDef(name="x", op="Placeholder")
    node.attr["dtype"].type = 1
    assert (attribute(node, "dtype").type, attribute(node, "shape").shape.unknown_rank) == (1, False)
    assert list(node.attr) == ["dtype"]

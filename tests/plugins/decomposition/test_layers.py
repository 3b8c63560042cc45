"""Which nodes can be factored, and why others cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrated import graph, numbers
from onnxpress.errors import InvalidModel
from onnxpress_plugins.decomposition.layers import check_finite, obstacle


@pytest.mark.parametrize(
    ("body", "weight", "reason"),
    [
        ("a = Conv(x, w)", numbers(8, 4, 3, 3), None),
        ("a = Conv<dilations = [2, 2]>(x, w)", numbers(8, 4, 3, 3), None),
        ("a = MatMul(x, w)", numbers(8, 3), None),
        ("a = Conv<group = 4>(x, w)", numbers(8, 1, 3, 3), "it is depthwise"),
        ("a = Conv<group = 2>(x, w)", numbers(8, 2, 3, 3), "it has 2 groups"),
        ("q = Neg(w) a = Conv(x, q)", numbers(8, 4, 3, 3), "its weight is no constant"),
        ("a = MatMul(x, w)", numbers(4, 8, 3), "it multiplies stacks of matrices"),
        ("a = MatMul(x, w)", numbers(8), "it multiplies by a vector"),
        ("a = Conv(x, w)", numbers(0, 4, 3, 3), "its weight is empty"),
        ("a = MatMul(x, w)", numbers(8, 0), "its weight is empty"),
        ("v = Conv(x, w) a = Conv(x, w)", numbers(8, 4, 3, 3), "its weight is used elsewhere, too"),
        ("a = MatMul(x, x)", numbers(1), "its weight is no constant"),
    ],
)
def test_obstacles(body: str, weight: np.ndarray[Any, Any], reason: str | None) -> None:
    made = graph(f"{body} y = Relu(a)", w=weight)
    assert obstacle(next(node for node in made.graph if node.name == "a")) == reason


def test_a_weight_that_callers_may_replace_is_no_constant() -> None:
    made = graph("y = MatMul(x, w)", x="float[N,4] x, float[4,3] w", y="float[N,3] y")
    assert obstacle(made.graph[0]) == "its weight is no constant"


def test_integers() -> None:
    made = graph("y = MatMul(x, w)", x="int64[N,4] x", y="int64[N,3] y", w=np.ones((4, 3), np.int64))
    assert obstacle(made.graph[0]) == "its weight is of type INT64"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused_by_name(value: float) -> None:
    weight = numbers(8, 4)
    check_finite(graph("y = MatMul(x, w)", x="float[N,8] x", w=weight).graph[0])
    weight[3, 2] = value
    sentence = "the weight 'w' of MatMul 'y' holds NaN or infinity; mend the model, or leave the layer out"
    with pytest.raises(InvalidModel, match=sentence):
        check_finite(graph("y = MatMul(x, w)", x="float[N,8] x", w=weight).graph[0])

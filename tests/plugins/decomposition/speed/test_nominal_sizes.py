"""What is open gets a size, from a sample where there is one."""

from __future__ import annotations

import numpy as np

from calibrated import graph, numbers
from onnxpress_plugins.decomposition.speed.nominal_sizes import NOMINAL, nominal_sizes


def test_what_is_open_gets_a_size() -> None:
    made = graph("a = Conv<strides = [2, 2]>(x, w) y = Relu(a)", x="float[N,4,H,9] x", w=numbers(6, 4, 3, 3))
    sizes = nominal_sizes(made)
    assert sizes(made.graph.inputs[0]) == (1, 4, NOMINAL, 9)
    assert sizes(made.graph[0].outputs[0]) == (1, 6, (NOMINAL - 3) // 2 + 1, 4)
    assert sizes(None) is None


def test_a_sample_tells_better() -> None:
    made = graph("a = Conv(x, w) y = Relu(a)", x="float[N,4,H,W] x", w=numbers(6, 4, 3, 3))
    sizes = nominal_sizes(made, [{"x": numbers(7, 4, 12, 20)}, {"x": numbers(7, 4, 5, 5)}])
    assert sizes(made.graph.inputs[0]) == (1, 4, 12, 20)
    assert sizes(made.graph.outputs[0]) == (1, 6, 10, 18)


def test_no_sample_or_one_of_another_rank_tells_nothing() -> None:
    made = graph("y = Relu(x)", x="float[N,L] x", y="float[N,L] y")
    for data in ([], [{"x": numbers(3)}]):
        assert nominal_sizes(made, data)(made.graph.inputs[0]) == (1, NOMINAL)


def test_where_nothing_would_be_left_of_an_image_of_that_size() -> None:
    made = graph("a = Conv(x, w) y = Relu(a)", x="float[N,4,H,9] x", y="float[N,6,I,9] y", w=numbers(6, 4, 300, 1))
    assert nominal_sizes(made)(made.graph.outputs[0]) == (1, 6, NOMINAL, 9)


def test_where_sizes_do_not_fit_each_other() -> None:
    body = "j = Concat<axis = 1>(x, z) a = Conv(j, w) y = Relu(a)"
    made = graph(body, x="float[N,2,H,9] x, float[N,2,10,9] z", y="float[N,6,I,9] y", w=numbers(6, 4, 3, 1))
    assert nominal_sizes(made)(made.graph.outputs[0]) == (1, 6, 8, 9)


def test_the_model_is_not_changed() -> None:
    made = graph("y = Conv(x, w)", x="float[N,4,H,W] x", y="float[N,6,I,J] y", w=numbers(6, 4, 3, 3))
    nominal_sizes(made)
    assert not any(isinstance(size, int) for size in np.array(made.graph.inputs[0].shape)[[0, 2, 3]])

"""Multiplications: counted as they are made, strides and shared-out axes included."""

from __future__ import annotations

import numpy as np

from calibrated import graph, numbers
from onnxpress.decomposition.rewriting import layer_of
from onnxpress_plugins.decomposition.speed.nominal_sizes import NOMINAL, nominal_sizes
from onnxpress_plugins.decomposition.speed.workload import Workload, workload
from onnxpress_plugins.decomposition.ways import Way

STRIDED = graph("y = Conv<strides = [2, 1]>(x, w)", x="float[N,4,9,8] x", w=numbers(6, 4, 3, 2))


def test_a_stack_of_a_strided_layer() -> None:
    (node,) = STRIDED.graph
    layer = layer_of(node)
    work = workload(node, layer, nominal_sizes(STRIDED))
    assert work == Workload(repeats=1, sizes_in=(9, 8), sizes_out=(4, 7))
    assert work.dense(layer) == 6 * 4 * 3 * 2 * 4 * 7
    down, across = (Way("spatial", first).stack(layer, (5,)) for first in ((0,), (1,)))
    assert work.of(down) == 5 * 4 * 3 * 4 * 8 + 6 * 5 * 2 * 4 * 7
    assert work.of(across) == 5 * 4 * 2 * 9 * 7 + 6 * 5 * 3 * 4 * 7


def test_rows_of_a_matrix() -> None:
    made = graph("y = MatMul(x, w)", x="float[N,5,4] x", w=numbers(4, 3))
    (node,) = made.graph
    assert workload(node, layer_of(node), nominal_sizes(made)) == Workload(repeats=5)


class TestNominalSizes:
    def test_what_is_open_gets_a_size(self) -> None:
        made = graph("a = Conv<strides = [2, 2]>(x, w) y = Relu(a)", x="float[N,4,H,9] x", w=numbers(6, 4, 3, 3))
        sizes = nominal_sizes(made)
        assert sizes(made.graph.inputs[0]) == (1, 4, NOMINAL, 9)
        assert sizes(made.graph[0].outputs[0]) == (1, 6, (NOMINAL - 3) // 2 + 1, 4)
        assert sizes(None) is None

    def test_a_sample_tells_better(self) -> None:
        made = graph("a = Conv(x, w) y = Relu(a)", x="float[N,4,H,W] x", w=numbers(6, 4, 3, 3))
        sizes = nominal_sizes(made, [{"x": numbers(7, 4, 12, 20)}, {"x": numbers(7, 4, 5, 5)}])
        assert sizes(made.graph.inputs[0]) == (1, 4, 12, 20)
        assert sizes(made.graph.outputs[0]) == (1, 6, 10, 18)

    def test_no_sample_or_one_of_another_rank_tells_nothing(self) -> None:
        made = graph("y = Relu(x)", x="float[N,L] x", y="float[N,L] y")
        for data in ([], [{"x": numbers(3)}]):
            assert nominal_sizes(made, data)(made.graph.inputs[0]) == (1, NOMINAL)

    def test_where_nothing_would_be_left_of_an_image_of_that_size(self) -> None:
        made = graph("a = Conv(x, w) y = Relu(a)", x="float[N,4,H,9] x", y="float[N,6,I,9] y", w=numbers(6, 4, 300, 1))
        assert nominal_sizes(made)(made.graph.outputs[0]) == (1, 6, NOMINAL, 9)

    def test_where_sizes_do_not_fit_each_other(self) -> None:
        body = "j = Concat<axis = 1>(x, z) a = Conv(j, w) y = Relu(a)"
        made = graph(body, x="float[N,2,H,9] x, float[N,2,10,9] z", y="float[N,6,I,9] y", w=numbers(6, 4, 3, 1))
        assert nominal_sizes(made)(made.graph.outputs[0]) == (1, 6, 8, 9)

    def test_the_model_is_not_changed(self) -> None:
        made = graph("y = Conv(x, w)", x="float[N,4,H,W] x", y="float[N,6,I,J] y", w=numbers(6, 4, 3, 3))
        nominal_sizes(made)
        assert not any(isinstance(size, int) for size in np.array(made.graph.inputs[0].shape)[[0, 2, 3]])

"""Multiplications: counted as they are made, strides and shared-out axes included."""

from __future__ import annotations

from calibrated import graph, numbers
from onnxpress.decomposition.rewriting import layer_of
from onnxpress_plugins.decomposition.speed.nominal_sizes import nominal_sizes
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

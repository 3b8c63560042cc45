"""Multiplications: counted as they are made, strides and shared-out axes included."""

from __future__ import annotations

import pytest

from calibrated import graph, numbers
from onnxpress.decomposition.rewriting import layer_of
from onnxpress.measuring.macs import macs
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


@pytest.mark.parametrize(
    ("body", "x", "shape"),
    [
        ("y = Conv<strides = [2, 1]>(x, w)", (1, 4, 9, 8), (6, 4, 3, 2)),
        ("y = Conv(x, w)", (1, 4, 9), (6, 4, 3)),
        ("y = MatMul(x, w)", (1, 5, 4), (4, 3)),
        ("y = Gemm<transB = 1>(x, w)", (1, 4), (3, 4)),
    ],
)
def test_layers_are_counted_as_inspect_counts_them(body: str, x: tuple[int, ...], shape: tuple[int, ...]) -> None:
    made = graph(body, x=f"float[{','.join(map(str, x))}] x", w=numbers(*shape))
    (node,) = made.graph
    sizes, layer = nominal_sizes(made), layer_of(node)
    output = sizes(node.outputs[0])
    assert output is not None
    counted = macs(node.op_type, x, shape, output, transposed="transB" in body)
    assert workload(node, layer, sizes).dense(layer) == counted

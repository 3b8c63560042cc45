"""Which sizes are surely equal."""

from __future__ import annotations

import pytest

from onnxpress.testing import model
from onnxpress_frontends.mapping.recurrence.sequence_lengths import scalar, size


def test_a_length_is_traced_to_where_it_comes_from() -> None:
    graph = model(
        """agraph (float[N, T, 3] x) => (float[T, N, 3] rows, int32 count)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] last = {-1}, int64[1] far = {-9223372036854775807},
         int64[1] step = {-1}> {
            t = Transpose<perm = [1, 0, 2]>(x)
            r = Relu(t)
            rows = Slice(r, last, far, zero, step)
            s = Shape(t)
            c = Cast<to = 6>(s)
            p = Slice(c, zero, one)
            count = Squeeze(p, zero)
        }"""
    ).graph
    rows, count = graph.outputs
    assert size(rows, 0) == scalar(count) == (graph.inputs[0], 1)
    assert size(rows, 2) == 3


@pytest.mark.parametrize(
    "line", ["count = Gather(s, two)", "b = Gather(s, two) count = Add(b, two)", "count = ReduceMax<keepdims = 0>(s)"]
)
def test_other_numbers_are_no_length_of_the_first_axis(line: str) -> None:
    graph = model(f"agraph (float[A, B, C] x) => (int64 count) <int64 two = {{2}}> {{ s = Shape(x) {line} }}").graph
    assert scalar(graph.outputs[0]) != size(graph.inputs[0], 0)


def test_a_part_is_not_as_long_as_the_whole() -> None:
    graph = model(
        """agraph (float[T, N, 3] x) => (float[L, N, 3] rows)
        <int64[1] zero = {0}, int64[1] three = {3}, int64[1] far = {-9223372036854775807}, int64[1] step = {-1}> {
            rows = Slice(x, three, far, zero, step)
        }"""
    ).graph
    assert size(graph.outputs[0], 0) == (graph.outputs[0], 0)

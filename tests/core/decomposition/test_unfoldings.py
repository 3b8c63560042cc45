from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.decomposition import unfoldings
from onnxpress.decomposition.unfoldings import Unfolding

SHAPES = [((6, 5), ()), ((6, 5, 3), (0,)), ((4, 5, 3, 2), (1,)), ((4, 5, 3, 2), (0, 1)), ((3, 4, 2, 3, 2), (0, 2))]


def weight(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def dense(unfolding: Unfolding) -> np.ndarray:
    return unfolding.times(np.eye(unfolding.columns))


def test_rows_are_outputs_and_the_rest_of_the_kernel_columns_inputs_and_the_first_axes() -> None:
    kernel = weight(4, 5, 3, 2)
    matrix = dense(Unfolding(kernel, [1]))
    assert matrix.shape == (4 * 3, 5 * 2)
    assert matrix[2 * 3 + 1, 4 * 2 + 1] == kernel[2, 4, 1, 1]


@pytest.mark.parametrize(("shape", "first"), SHAPES)
@given(elements=st.integers(1, 400))
def test_chunks_of_any_size_give_the_same(shape: tuple[int, ...], first: tuple[int, ...], elements: int) -> None:
    unfolding = Unfolding(weight(*shape), first)
    matrix = dense(unfolding)
    left, right = weight(3, unfolding.rows), weight(unfolding.columns, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unfoldings, "CHUNK", elements)
        np.testing.assert_allclose(unfolding.gram(of_rows=True, dtype=np.float64), matrix @ matrix.T, atol=1e-12)
        np.testing.assert_allclose(unfolding.gram(of_rows=False, dtype=np.float64), matrix.T @ matrix, atol=1e-12)
        np.testing.assert_allclose(unfolding.times(right), matrix @ right, atol=1e-12)
        np.testing.assert_allclose(unfolding.times_left(left), left @ matrix, atol=1e-12)


@pytest.mark.parametrize(("shape", "first"), SHAPES)
def test_two_kernels_in_turn_are_the_product_of_their_matrices(shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    unfolding = Unfolding(weight(*shape), first)
    side = min(unfolding.rows, unfolding.columns)
    assert unfolding.side == side
    rows, columns = weight(side, unfolding.columns), weight(unfolding.rows, side)
    one, two = unfolding.first(rows), unfolding.second(columns)
    kernel = range(len(shape) - 2)
    assert one.shape == (side, shape[1], *(shape[axis + 2] if axis in first else 1 for axis in kernel))
    assert two.shape == (shape[0], side, *(1 if axis in first else shape[axis + 2] for axis in kernel))
    both = (two[:, :, None] * one[None]).sum(axis=1)
    np.testing.assert_allclose(dense(Unfolding(both, first)), columns @ rows, atol=1e-12)


def test_no_more_than_a_chunk_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(unfoldings, "CHUNK", 2**14)
    unfolding = Unfolding(weight(256, 64, 3, 32), [0])
    tracemalloc.start()
    unfolding.gram(of_rows=False, dtype=np.float64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (2 * unfolding.columns**2 + 3 * 2**14) * 8 < unfolding.rows * unfolding.columns * 8 / 4

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.decomposition import leading_subspace
from onnxpress.decomposition.matrix_factors import bytes_needed, factor
from onnxpress.decomposition.unfoldings import Unfolding
from spectra import matrix_of, noise

SIDES = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 99))


def random(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns))


def triangle(size: int, seed: int = 1) -> np.ndarray:
    covariance = np.cov(np.random.default_rng(seed).standard_normal((size, 4 * size)) * np.arange(1, size + 1)[:, None])
    return np.linalg.cholesky(covariance.reshape(size, size) + 0.1 * np.eye(size))


def best(matrix: np.ndarray, root: np.ndarray, rank: int) -> np.ndarray:
    """The minimiser of ``||(W - X) L||`` of some rank, in so many words."""
    u, s, v = np.linalg.svd(matrix @ root, full_matrices=False)
    return np.linalg.solve(root.T, ((u[:, :rank] * s[:rank]) @ v[:rank]).T).T


@given(SIDES, st.data())
def test_truncated_singular_values(sides: tuple[int, int, int], data: st.DataObject) -> None:
    matrix = random(*sides)
    rank = data.draw(st.integers(1, min(matrix.shape)))
    factors = factor(Unfolding(matrix, ()), rank)
    wanted = best(matrix, np.eye(matrix.shape[1]), rank)
    np.testing.assert_allclose(factors.second @ factors.first, wanted, atol=1e-6)
    lost = np.linalg.norm(matrix - wanted) / np.linalg.norm(matrix)
    assert factors.error() == pytest.approx(lost, abs=1e-7)
    assert np.linalg.norm(matrix - factors.second @ factors.first) <= np.linalg.norm(matrix - wanted) + 1e-7


@given(SIDES, st.data())
def test_whitened_is_the_least_error_of_the_output(sides: tuple[int, int, int], data: st.DataObject) -> None:
    matrix = random(*sides)
    rank = data.draw(st.integers(1, min(matrix.shape)))
    root = triangle(matrix.shape[1])
    factors = factor(Unfolding(matrix, ()), rank, root=root)
    wanted = best(matrix, root, rank)
    np.testing.assert_allclose(factors.second @ factors.first, wanted, atol=1e-5)
    lost = np.linalg.norm((matrix - wanted) @ root) / np.linalg.norm(matrix @ root)
    assert factors.error() == pytest.approx(lost, abs=1e-6)


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (25, 25)])
def test_any_number_of_leading_terms_is_the_best_of_that_rank(shape: tuple[int, int], whitened: bool) -> None:
    matrix = random(*shape)
    root = triangle(shape[1]) if whitened else None
    whole = factor(Unfolding(matrix, ()), 20, root=root)
    for rank in (1, 7, 20):
        part, alone = whole.cut(rank), factor(Unfolding(matrix, ()), rank, root=root)
        np.testing.assert_allclose(part.second @ part.first, alone.second @ alone.first, atol=1e-9)
        assert part.error() == whole.error(rank) == pytest.approx(alone.error(), abs=1e-12)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_both_factors_carry_the_same_energy(shape: tuple[int, int]) -> None:
    factors = factor(Unfolding(random(*shape), ()), 20)
    wanted = np.sqrt(np.sqrt(factors.energies))
    np.testing.assert_allclose(np.linalg.norm(factors.first, axis=1), wanted, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(factors.second, axis=0), wanted, rtol=1e-9)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_both_whitened_factors_carry_the_same_energy(shape: tuple[int, int]) -> None:
    root = triangle(shape[1])
    factors = factor(Unfolding(random(*shape), ()), 20, root=root)
    wanted = np.sqrt(np.sqrt(factors.energies))
    np.testing.assert_allclose(np.linalg.norm(factors.first @ root, axis=1), wanted, rtol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(factors.second, axis=0), wanted, rtol=1e-7)


@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (1, 16), (16, 1)])
@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("kind", ["zero", "constant", "rank 3", "one number"])
def test_matrices_of_low_rank_are_met_exactly(shape: tuple[int, int], whitened: bool, kind: str) -> None:
    low = random(shape[0], 3) @ random(3, shape[1])
    matrix = {
        "zero": np.zeros(shape),
        "constant": np.full(shape, 0.25),
        "rank 3": low,
        "one number": np.eye(*shape) * (np.arange(shape[1]) == 0),
    }[kind]
    for rank in {min(3, *shape), min(shape)}:
        factors = factor(Unfolding(matrix, ()), rank, root=triangle(shape[1]) if whitened else None)
        np.testing.assert_allclose(factors.second @ factors.first, matrix, atol=1e-6)
        assert factors.error() < 1e-7


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading_subspace, "EXACT", 50)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("shape", [(200, 200), (180, 240), (240, 180)])
@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_in_single_precision_within_one_per_cent_of_the_least_error(
    shape: tuple[int, int], whitened: bool, decay: float
) -> None:
    values = noise(*shape)
    matrix = matrix_of(values * np.arange(1, len(values) + 1) ** -decay, *shape)
    root = triangle(shape[1]) if whitened else np.eye(shape[1])
    factors = factor(Unfolding(matrix.astype(np.float32), ()), 50, root=root if whitened else None)
    assert factors.first.dtype == factors.second.dtype == np.float32
    total = np.linalg.norm(matrix @ root)
    error = np.linalg.norm((matrix - factors.second.astype(np.float64) @ factors.first) @ root) / total
    least = np.linalg.norm((matrix - best(matrix, root, 50)) @ root) / total
    assert least - 1e-9 <= error <= 1.01 * least
    assert factors.error() == pytest.approx(error, rel=1e-3)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("scale", [1e-25, 1e-15, 1e15, 1e25])
def test_numbers_too_large_or_small_for_single_precision_are_factored_in_double(scale: float) -> None:
    matrix = random(80, 70)
    plain = factor(Unfolding(matrix.astype(np.float32), ()), 20)
    factors = factor(Unfolding((matrix * scale).astype(np.float32), ()), 20)
    product = factors.second.astype(np.float64) @ factors.first / scale
    np.testing.assert_allclose(product, plain.second @ plain.first, atol=1e-4)
    assert factors.error() == pytest.approx(plain.error(), rel=1e-3)


def test_precision_is_single_beyond_1024_of_the_smaller_side() -> None:
    kernel = np.zeros((1024, 1), np.float32)
    assert factor(Unfolding(np.ones((3, 2000), np.float16), ()), 2).first.dtype == np.float64
    assert factor(Unfolding(kernel, ()), 1).first.dtype == np.float64
    assert factor(Unfolding(np.eye(1025, dtype=np.float32), ()), 2).first.dtype == np.float32


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("shape", [(400, 300), (300, 500), (1200, 1100)])
def test_memory_is_foreseen(shape: tuple[int, int], whitened: bool) -> None:
    """LAPACK's own arrays, some twice the matrix, are not traced."""
    matrix = random(*shape).astype(np.float32)
    root = np.eye(shape[1], dtype=np.float32) if whitened else None
    tracemalloc.start()
    factor(Unfolding(matrix, ()), 120, root=root)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (
        0.4 * bytes_needed(*shape, 120, whitened=whitened) < peak < 1.2 * bytes_needed(*shape, 120, whitened=whitened)
    )

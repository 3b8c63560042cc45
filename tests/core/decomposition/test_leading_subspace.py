from __future__ import annotations

import numpy as np
import pytest

from onnxpress.decomposition import leading_subspace
from onnxpress.decomposition.leading_subspace import block_of, leading, leading_bytes
from spectra import noise, orthonormal

SIZE = 300
INDEX = np.arange(1, SIZE + 1)
SPECTRA = {
    "square of noise": noise(SIZE, SIZE),
    "wide noise": noise(SIZE, 4 * SIZE),
    "falling slowly": INDEX**-0.25,
    "falling": INDEX**-0.5,
    "falling fast": INDEX**-1.0,
    "falling to nothing": np.exp(-INDEX / 30),
    "a line": 1 - (INDEX - 1) / SIZE,
    "flat": np.ones(SIZE),
    "a step above the rank": np.where(INDEX <= 30, 1.0, 0.3),
    "a step below the rank": np.where(INDEX <= 90, 1.0, 0.3),
    "one that is large": np.where(INDEX == 1, 1000, noise(SIZE, SIZE) / 40),
    "half of it nothing": np.where(INDEX <= SIZE // 2, noise(SIZE, SIZE), 0),
}


@pytest.fixture(autouse=True)
def iterates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading_subspace, "EXACT", 50)


def gram_of(values: np.ndarray) -> np.ndarray:
    basis = orthonormal(len(values), len(values), 1)
    return (basis * values**2) @ basis.T


def left_over(gram: np.ndarray, vectors: np.ndarray) -> float:
    """Share of the energy that is outside of a subspace."""
    return 1 - float(np.einsum("ij,ij->", vectors, gram @ vectors)) / float(np.trace(gram))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [24, 70, 120])
@pytest.mark.parametrize("name", SPECTRA)
def test_what_is_left_is_within_one_per_cent_of_the_least(name: str, rank: int, dtype: type) -> None:
    values = SPECTRA[name]
    gram = gram_of(values)
    assert block_of(SIZE, rank) < SIZE
    energies, vectors = leading(gram.astype(dtype), rank)
    least = float((values[rank:] ** 2).sum() / (values**2).sum())
    unseen = 10 * np.finfo(dtype).eps  # nothing below the rounding of the largest number is in the matrix
    assert np.sqrt(left_over(gram, vectors.astype(np.float64)) + 1e-15) <= 1.01 * np.sqrt(least + unseen)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(rank), atol=20 * np.finfo(dtype).eps)
    assert energies.dtype == vectors.dtype == dtype and (np.diff(energies) <= 0).all() and energies[-1] >= 0
    assert (energies <= values[:rank] ** 2 * (1 + 1e-4) + 1e-5 * values[0] ** 2).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e25])
def test_scale_does_not_matter(scale: float) -> None:
    gram = gram_of(SPECTRA["falling"])
    energies, vectors = leading(gram, 80)
    scaled, same = leading(gram * scale, 80)
    np.testing.assert_allclose(scaled, energies * scale, rtol=1e-9)
    assert abs(left_over(gram, same) - left_over(gram, vectors)) < 1e-9


@pytest.mark.parametrize("gram", [np.zeros((SIZE, SIZE)), np.ones((SIZE, SIZE)), np.diag([1.0] + [0.0] * (SIZE - 1))])
def test_matrices_of_rank_one_or_none(gram: np.ndarray) -> None:
    energies, vectors = leading(gram, 50)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(50), atol=1e-12)
    np.testing.assert_allclose((vectors * energies) @ vectors.T, gram, atol=1e-9 * SIZE)


def test_small_or_nearly_whole_matrices_are_decomposed_whole() -> None:
    assert block_of(50, 10) == 50 and block_of(SIZE, 250) == SIZE
    gram = gram_of(SPECTRA["square of noise"])
    energies, vectors = leading(gram, 250)
    np.testing.assert_allclose(energies, SPECTRA["square of noise"][:250] ** 2, rtol=1e-9)
    np.testing.assert_allclose((vectors.T @ gram) @ vectors, np.diag(energies), atol=1e-8)


def test_the_same_every_time() -> None:
    gram = gram_of(SPECTRA["falling"]).astype(np.float32)
    once, again = leading(gram, 80), leading(gram, 80)
    assert [part.tobytes() for part in once] == [part.tobytes() for part in again]


def test_the_matrix_is_left_as_it_is() -> None:
    gram = gram_of(SPECTRA["falling"])
    before = gram.copy()
    leading(gram, 80)
    np.testing.assert_array_equal(gram, before)


def test_iterating_takes_a_part_of_the_memory() -> None:
    assert leading_bytes(10000, 2500, 4) < leading_bytes(10000, 9000, 4) / 4

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.decomposition.triangular_roots import root, unwhiten, whiten

SIZES = [1, 7, 256, 257, 600]


def parts(size: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(size)
    wide = random.standard_normal((size, size))
    return wide @ wide.T, np.tril(random.standard_normal((size, size)) / size) + np.eye(size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_the_root_of_a_matrix(size: int, dtype: type) -> None:
    square = parts(size)[0] + np.eye(size)
    found = square.astype(dtype)
    root(found)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.linalg.cholesky(square), atol=30 * size * np.finfo(dtype).eps)


def test_what_has_no_root() -> None:
    indefinite = np.eye(300)
    indefinite[290, 290] = -1
    with pytest.raises(np.linalg.LinAlgError):
        root(indefinite)


@pytest.mark.parametrize("size", SIZES)
def test_whitened_in_place(size: int) -> None:
    gram, triangle = parts(size)
    wanted = triangle.T @ gram @ triangle
    whiten(gram, triangle)
    np.testing.assert_allclose(gram, wanted, atol=1e-10 * np.abs(wanted).max())


@pytest.mark.parametrize("size", SIZES)
def test_unwhitened_in_place(size: int) -> None:
    _, triangle = parts(size)
    columns = np.random.default_rng(1).standard_normal((size, 3))
    solved = columns.copy()
    unwhiten(solved, triangle)
    np.testing.assert_allclose(triangle.T @ solved, columns, atol=1e-10)

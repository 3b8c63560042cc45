from __future__ import annotations

import numpy as np
import pytest

from onnxpress.decomposition.triangular_roots import unwhiten, whiten

SIZES = [1, 7, 256, 257, 600]


def parts(size: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(size)
    wide = random.standard_normal((size, size))
    return wide @ wide.T, np.tril(random.standard_normal((size, size)) / size) + np.eye(size)


@pytest.mark.parametrize("size", SIZES)
def test_whitened_in_place(size: int) -> None:
    gram, root = parts(size)
    wanted = root.T @ gram @ root
    whiten(gram, root)
    np.testing.assert_allclose(gram, wanted, atol=1e-10 * np.abs(wanted).max())


@pytest.mark.parametrize("size", SIZES)
def test_unwhitened_in_place(size: int) -> None:
    _, root = parts(size)
    columns = np.random.default_rng(1).standard_normal((size, 3))
    solved = columns.copy()
    unwhiten(solved, root)
    np.testing.assert_allclose(root.T @ solved, columns, atol=1e-10)

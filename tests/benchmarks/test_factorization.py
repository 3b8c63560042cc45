from __future__ import annotations

import numpy as np
import pytest

from factorization import AMCT, SPATIAL, TUCKER, WHITENED, covariance, energies, error, kernel, rank_of, split


@pytest.mark.parametrize(("channels", "size"), [(64, 3), (128, 3), (512, 5)])
def test_ranks_leave_half_of_the_multiplications(channels: int, size: int) -> None:
    dense = channels**2 * size**2
    assert 2 * channels * size * rank_of(channels, size, SPATIAL) == dense / 2
    rank = rank_of(channels, size, TUCKER)
    assert 0.95 < (2 * channels * rank + rank**2 * size**2) / (dense / 2) <= 1


@pytest.mark.parametrize("kind", ["noise", "falling"])
@pytest.mark.parametrize("method", [SPATIAL, WHITENED])
def test_small_kernels_are_split_at_the_optimum(method: str, kind: str) -> None:
    weight = kernel(32, 3, kind)
    squares = energies(weight, method)
    least = np.sqrt(squares[24:].sum() / squares.sum())
    assert error(weight, list(split(weight, method)()), method) == pytest.approx(least, rel=1e-5)


def test_amct_splits_at_the_optimum_of_its_rank() -> None:
    weight = kernel(64, 3, "noise")
    parts = list(split(weight, AMCT)())
    assert parts[0].shape == (192, 32)
    squares = energies(weight, SPATIAL)
    assert error(weight, parts, AMCT) == pytest.approx(np.sqrt(squares[32:].sum() / squares.sum()), rel=1e-5)


def test_the_covariance_is_one() -> None:
    assert np.linalg.eigvalsh(covariance(16, 3).astype(np.float64))[0] > 0

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from onnxpress.decomposition.noise_ranks import amct, evbmf
from spectra import noise


def planted(rows: int, columns: int, rank: int, *, strength: float = 3.0) -> np.ndarray:
    """Singular values of a matrix of some rank with noise of variance 1 over it."""
    values = noise(rows, columns)
    return np.concatenate([np.full(rank, strength * values[0]), values[: len(values) - rank]])


def above_noise(values: np.ndarray, rows: int, columns: int, tolerance: float) -> int:
    """The same rule, written from the paper: a sum over singular values, minimised by scipy."""
    low, high = sorted((rows, columns))
    alpha = low / high
    tau = 2.5129 * math.sqrt(alpha)
    edge = (1 + tau) * (1 + alpha / tau)

    def energy(variance: float) -> float:
        total = 0.0
        for value in values:
            x = value**2 / (high * variance)
            total += x - math.log(x)
            if x > edge:
                t = (x - 1 - alpha + math.sqrt((x - 1 - alpha) ** 2 - 4 * alpha)) / 2
                total += math.log(t + 1) + alpha * math.log(t / alpha + 1) - t
        return total

    last = min(math.ceil(low / (1 + alpha)) - 1, low) - 1
    least = max(values[last + 1] ** 2 / (high * edge), float(np.mean(values[last:] ** 2)) / high)
    most = float(np.sum(values**2)) / (low * high)
    found = minimize_scalar(
        energy, bounds=(least, most), method="bounded", options={"xatol": tolerance, "maxiter": 500}
    )
    return int((values > math.sqrt(high * found.x * edge)).sum())


@given(st.integers(20, 120), st.integers(20, 300), st.data())
def test_the_rank_under_the_noise_is_found(rows: int, columns: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, min(rows, columns) // 4))
    assert evbmf(planted(rows, columns, rank), rows, columns) == rank


@given(st.integers(0, 30), st.floats(-12, 12))
def test_scale_does_not_matter(rank: int, exponent: float) -> None:
    values = planted(96, 160, rank, strength=1.2)
    assert evbmf(values * 10**exponent, 96, 160) == evbmf(values, 96, 160)


def test_rows_and_columns_may_be_swapped() -> None:
    values = planted(60, 200, 9)
    assert evbmf(values, 60, 200) == evbmf(values, 200, 60) == 9


@pytest.mark.parametrize("values", [np.zeros(48), np.full(48, 1e-30), np.full(48, 7.0)])
def test_a_flat_spectrum_is_all_noise(values: np.ndarray) -> None:
    assert evbmf(values, 48, 80) == 0


@pytest.mark.parametrize("rank", [1, 7])
def test_without_noise_all_that_is_there_is_signal(rank: int) -> None:
    assert evbmf(np.where(np.arange(48) < rank, 5.0, 0.0), 48, 80) == rank


@given(st.sampled_from([(192, 192), (192, 384), (96, 700)]), st.sampled_from([1.0, 0.05, 0.004]), st.floats(0.1, 2.0))
def test_amct_is_the_published_rule_with_an_absolute_tolerance(
    sides: tuple[int, int], scale: float, decay: float
) -> None:
    rows, columns = sides
    values = scale * (noise(rows, columns) + 40 * np.arange(1, rows + 1) ** -decay)
    rank = int(np.clip(above_noise(values, rows, columns, 1e-5), rows // 5, rows // 4))
    nearest = math.floor(rank / 16 + 0.5) * 16
    assert amct(values, rows, columns, channels=256) == (nearest if nearest >= 0.9 * rank else nearest + 16)


HED = [
    (64, 64, 59, 32),
    (128, 64, 72, 32),
    (128, 128, 92, 64),
    (256, 128, 134, 64),
    (256, 256, 196, 192),
    (256, 256, 176, 176),
    (512, 256, 238, 192),
    (512, 512, 322, 320),
    (512, 512, 280, 304),
    (512, 512, 296, 304),
    (512, 512, 324, 320),
    (512, 512, 343, 336),
]
NANODET = [(64, 64, 17, 32), (128, 128, 68, 64), (64, 128, 26, 32), (256, 256, 122, 160), (128, 256, 63, 64)]


@pytest.mark.parametrize(("outputs", "inputs", "above", "rank"), HED + NANODET)
def test_ranks_that_amct_gave_published_networks(outputs: int, inputs: int, above: int, rank: int) -> None:
    rows, columns = 3 * min(outputs, inputs), 3 * max(outputs, inputs)
    values = planted(rows, columns, above)
    assert evbmf(values, rows, columns) == above
    assert amct(values, rows, columns, channels=min(outputs, inputs)) == rank


@pytest.mark.parametrize(
    ("rows", "channels", "ranks"), [(192, 64, {32}), (384, 128, {64}), (768, 256, {160, 176, 192})]
)
def test_the_window_in_which_amct_moves(rows: int, channels: int, ranks: set[int]) -> None:
    found = {amct(planted(rows, rows, rank), rows, rows, channels=channels) for rank in range(0, rows // 3, 8)}
    assert found == ranks


def test_amct_gives_a_stem_most_of_its_rank() -> None:
    assert amct(noise(21, 448), 21, 448, channels=3) == 16
    assert amct(noise(12, 448), 12, 448, channels=3) == 12

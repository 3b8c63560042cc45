"""Stacks as one kernel, and what their bias must make good."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import graph, numbers
from onnxpress.decomposition.forms import channel, low_rank, spatial, tucker2
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.composition import composed, mean_shift
from onnxpress_plugins.decomposition.moments.tap_means import TapMeans
from onnxpress_plugins.decomposition.moments.windows import Window

WEIGHT = numbers(6, 5, 3, 2)


@pytest.mark.parametrize(
    "stages",
    [
        spatial(WEIGHT, 12),
        spatial(WEIGHT, 10, first="horizontal"),
        channel(WEIGHT, 6),
        tucker2(WEIGHT, (5, 6)),
    ],
)
def test_at_full_rank_the_stack_is_the_kernel(stages: tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> None:
    np.testing.assert_allclose(composed(stages), WEIGHT, atol=1e-5)


def test_matrices_compose_to_their_product() -> None:
    first, second = low_rank(numbers(6, 5), 2)
    np.testing.assert_allclose(composed([first, second]), second @ first, atol=1e-6)


def test_parts_in_half_precision_compose_in_single() -> None:
    first, second = low_rank(numbers(6, 5).astype(np.float16), 5)
    product = composed([first, second])
    assert (first.dtype, product.dtype) == (np.float16, np.float32)
    np.testing.assert_allclose(product, second.astype(np.float64) @ first.astype(np.float64), rtol=1e-6)


def test_the_bias_gives_the_mean_back_padding_included() -> None:
    first, second = spatial(WEIGHT, 2)
    data = numbers(3, 5, 7, 6) + 2
    means = TapMeans(5, [Window(kernel=3, pads=(1, 1)), Window(kernel=2, stride=2)])
    means.add(data)
    shift = mean_shift(WEIGHT, [first, second], means.mean())
    one = graph("y = Conv<pads = [1, 0, 1, 0], strides = [1, 2]>(x, w)", x="float[3,5,7,6] x", w=WEIGHT)
    two = graph(
        "m = Conv<pads = [1, 0, 1, 0]>(x, a) y = Conv<strides = [1, 2]>(m, b, s)",
        x="float[3,5,7,6] x",
        a=first,
        b=second,
        s=shift.astype(np.float32),
    )
    given = [Session(model, threads=1).run({"x": data})["y"].mean(axis=(0, 2, 3)) for model in (one, two)]
    np.testing.assert_allclose(given[1], given[0], atol=1e-4)
    assert np.abs(shift).max() > 0.1


@given(rank=st.integers(1, 6), seed=st.integers(0, 9))
def test_the_shift_is_the_mean_of_the_difference(rank: int, seed: int) -> None:
    stages, seen = channel(WEIGHT, rank), numbers(40, 5, 3, 2, seed=seed).astype(np.float64)
    lost = np.tensordot(seen, WEIGHT - composed(stages), axes=((1, 2, 3), (1, 2, 3)))
    np.testing.assert_allclose(mean_shift(WEIGHT, stages, seen.mean(axis=0)), lost.mean(axis=0), atol=1e-5)

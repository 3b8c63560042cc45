"""Kernels factored for what gets through the Relu behind them."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import numbers
from onnxpress.decomposition.unfoldings import Unfolding
from onnxpress_plugins.decomposition.composition import composed
from onnxpress_plugins.decomposition.factorings import factored
from onnxpress_plugins.decomposition.moments.moment_gathering import Moments
from onnxpress_plugins.decomposition.ways import Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAYS = [
    (Way("spatial", (0,)), (8, 6, 3, 3), (9,)),
    (Way("spatial", (1,)), (8, 6, 3, 3), (9,)),
    (Way("spatial", (0, 2)), (8, 6, 2, 3, 2), (10,)),
    (Way("channel", (0, 1)), (8, 6, 3, 3), (4,)),
    (Way("channel", (0,)), (8, 6, 3), (4,)),
    (Way("low_rank", ()), (8, 6), (3,)),
    (Way("low_rank", (0, 1)), (8, 6, 1, 1), (3,)),
    (Way("tucker2"), (8, 6, 3, 3), (4, 5)),
]


def seen(weight: NDArray[Any], way: Way, often: NDArray[Any] | None) -> Moments:
    """White inputs, of which the outputs vary as the rows of the kernel are long."""
    size = weight.shape[1] * prod(weight.shape[axis + 2] for axis in way.first_axes)
    lengths = np.square(weight).reshape(len(weight), -1).sum(axis=1)
    return Moments(
        covariance=np.eye(size) / 1.01,  # shrinkage adds a hundredth
        unseen=None,
        mean=None,
        variance=float((lengths if often is None else often * lengths).sum()),
        scales=None if often is None else np.sqrt(often),
        count=10**6,
    )


def full_ranks(shape: tuple[int, ...], way: Way) -> tuple[int, ...]:
    first = prod(shape[axis + 2] for axis in way.first_axes)
    if way.form == "tucker2":
        return shape[1], shape[0]
    return (min(shape[1] * first, prod(shape) // shape[1] // first),)


@pytest.mark.parametrize(("way", "shape", "ranks"), WAYS)
def test_at_full_rank_the_stack_is_the_layer_whatever_its_outputs_weigh(
    way: Way, shape: tuple[int, ...], ranks: tuple[int, ...]
) -> None:
    weight, full = numbers(*shape), full_ranks(shape, way)
    often = np.linspace(0.02, 1, len(weight))
    made = factored(weight, way, full[0], moments=seen(weight, way, often))
    assert made.error(full) == pytest.approx(0, abs=1e-6)
    parts = made.weights(full)
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    np.testing.assert_allclose(composed(parts).reshape(shape), weight, atol=1e-5)


@pytest.mark.parametrize(("way", "shape", "ranks"), WAYS)
def test_the_error_is_that_of_the_weighed_outputs(way: Way, shape: tuple[int, ...], ranks: tuple[int, ...]) -> None:
    weight = numbers(*shape)
    often = np.linspace(0.02, 1, len(weight))
    errors = []
    for own in (often, None):
        made = factored(weight, way, full_ranks(shape, way)[0], moments=seen(weight, way, own))
        lost = np.square(weight - composed(made.weights(ranks)).reshape(shape)).reshape(len(weight), -1).sum(axis=1)
        length = np.square(weight).reshape(len(weight), -1).sum(axis=1)
        errors.append((often @ lost) / (often @ length))
        if own is not None and way.form != "tucker2":
            assert made.error(ranks) == pytest.approx(errors[0], rel=1e-3)
        elif own is not None:  # of which the table tells a bound
            assert made.error(ranks) == pytest.approx(errors[0], rel=0.3)
    assert errors[0] < 0.97 * errors[1]


@given(seed=st.integers(0, 20))
def test_outputs_that_are_never_seen_cost_next_to_nothing(seed: int) -> None:
    weight, way = numbers(12, 6, 3, 3, seed=seed), Way("spatial", (0,))
    often = np.where(np.arange(12) < 2, 1.0, 0.02)
    weighed, alike = (factored(weight, way, 18, moments=seen(weight, way, own)) for own in (often, None))
    assert weighed.error((6,)) < 0.15 < 0.3 < alike.error((6,))  # two outputs of three taps have rank 6
    first, second = weighed.weights((6,))
    lost = np.square(weight - composed([first, second]))[:2].sum()
    assert lost < 0.05 * np.square(weight[:2]).sum()


def test_behind_a_relu_less_is_lost_of_what_gets_through_it() -> None:
    generator = np.random.default_rng(0)
    weight, way = numbers(24, 16), Way("low_rank", ())
    bias = generator.uniform(-9, 9, 24)
    rows, others = (generator.standard_normal((4000, 16)) for _ in range(2))
    given = rows @ weight.T + bias
    often = np.maximum((given > 0).mean(axis=0), 0.02)
    assert often.min() < 0.1 < 0.9 < often.max()
    expected = np.maximum(others @ weight.T + bias, 0)
    lost = []
    for scales in (np.sqrt(often), None):
        variances = given.var(axis=0) * (1 if scales is None else often)
        moments = Moments(
            covariance=np.cov(rows.T, bias=True),
            unseen=None,
            mean=None,
            variance=variances.sum(),
            scales=scales,
            count=4000,
        )
        stack = composed(factored(weight, way, 8, moments=moments).weights((8,)))
        lost.append(np.square(np.maximum(others @ stack.T + bias, 0) - expected).mean())
    assert lost[0] < 0.8 * lost[1]


@pytest.mark.parametrize(("way", "shape", "ranks"), WAYS)
def test_errors_are_those_of_samples_that_the_factors_were_not_made_for(
    way: Way, shape: tuple[int, ...], ranks: tuple[int, ...]
) -> None:
    weight = numbers(*shape)
    own = seen(weight, way, np.linspace(0.02, 1, len(weight)))
    size = len(own.covariance)
    samples, others = (numbers(2 * size, size, seed=seed) @ numbers(size, size, seed=9) for seed in (1, 2))
    own = replace(own, covariance=samples.T @ samples / len(samples), unseen=others.T @ others / len(others))
    made = factored(weight, way, full_ranks(shape, way)[0], moments=own)
    lost = (weight - composed(made.weights(ranks)).reshape(shape)) * np.reshape(
        own.scales, (-1, *[1] * (len(shape) - 1))
    )
    rows = Unfolding(lost, way.first_axes).times(np.eye(size, dtype=np.float32))
    assert own.unseen is not None
    expected = np.einsum("ij,jk,ik->", rows, own.unseen, rows) / own.variance
    assert made.error(ranks) == pytest.approx(expected, rel=0.3 if way.form == "tucker2" else 1e-3)
    assert made.error(full_ranks(shape, way)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("way", [Way("low_rank", ()), Way("tucker2")])
def test_few_samples_promise_nothing(way: Way) -> None:
    """The six samples that there are lose little of what others lose."""
    weight = numbers(40, 40) if way.form == "low_rank" else numbers(40, 40, 3, 3)
    samples, others = numbers(6, 40, seed=1), numbers(500, 40, seed=2)
    ranks = (12, 40) if way.form == "tucker2" else (12,)
    own = replace(seen(weight, way, None), covariance=samples.T @ samples / 6, count=6)
    told = factored(weight, way, 40, moments=own).error(ranks)
    honest = factored(weight, way, 40, moments=replace(own, unseen=others.T @ others / 500)).error(ranks)
    assert honest > 0.3 and told < honest / 2


def test_half_precision_is_no_less_true() -> None:
    weight, way = numbers(24, 16, 3, 3).astype(np.float16), Way("tucker2")
    half, single = (factored(weight.astype(dtype), way, 16) for dtype in (np.float16, np.float32))
    assert half.error((8, 12)) == pytest.approx(single.error((8, 12)), rel=1e-6)
    assert {part.dtype for part in half.weights((8, 12))} == {np.dtype(np.float16)}

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.decomposition.forms import channel, low_rank, root_of, spatial, split, tucker2
from onnxpress.errors import InvalidData, InvalidOption

KERNELS = [(), (1,), (3,), (1, 1), (3, 3), (3, 5), (1, 7), (2, 3, 2)]
TYPES = [np.float16, np.float32, np.float64]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def covariance_of(size: int) -> np.ndarray:
    samples = random(size, 3 * size, seed=1) * np.arange(1, size + 1)[:, None] ** -1.0
    return samples @ samples.T / (3 * size)


def convolution(
    values: np.ndarray, weight: np.ndarray, *, strides: Sequence[int] = (), pads: Sequence[int] = ()
) -> np.ndarray:
    """``(inputs, *size)`` to ``(outputs, *size)``; strides and zeros on either side are per axis."""
    axes = weight.ndim - 2
    padded = np.pad(values, [(0, 0), *((pad, pad) for pad in pads or (0,) * axes)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=tuple(range(1, axes + 1)))
    strided = windows[(slice(None), *(slice(None, None, stride) for stride in strides or (1,) * axes))]
    return np.tensordot(weight, strided, (list(range(1, axes + 2)), [0, *range(axes + 1, 2 * axes + 1)]))


def together(*parts: np.ndarray) -> np.ndarray:
    """The kernel that a stack is; each axis is in one part alone."""
    whole, *others = parts
    for part in others:
        whole = np.einsum("or...,ri...->oi...", part.astype(np.float64), whole.astype(np.float64))
    return whole


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kernel", KERNELS)
@given(outputs=st.integers(1, 6), inputs=st.integers(1, 6), data=st.data())
def test_at_full_rank_every_split_is_exact(
    kernel: tuple[int, ...], dtype: type, outputs: int, inputs: int, data: st.DataObject
) -> None:
    weight = random(outputs, inputs, *kernel).astype(dtype)
    axes = data.draw(st.sets(st.sampled_from(range(len(kernel))))) if kernel else ()
    first_size = inputs * int(np.prod([kernel[axis] for axis in axes]))
    rank = min(first_size, weight.size // first_size)
    covariance = data.draw(st.sampled_from([None, covariance_of(first_size)]))
    first, second = split(weight, rank, first_axes=sorted(axes), covariance=covariance)
    assert first.dtype == second.dtype == dtype
    assert first.shape == (rank, inputs, *(size if axis in axes else 1 for axis, size in enumerate(kernel)))
    assert second.shape == (outputs, rank, *(1 if axis in axes else size for axis, size in enumerate(kernel)))
    np.testing.assert_allclose(together(first, second), weight, atol=max(30 * np.finfo(dtype).eps, 1e-6))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("whitened", [False, True])
def test_at_full_rank_tucker_2_is_exact(kernel: tuple[int, ...], dtype: type, whitened: bool) -> None:
    weight = random(6, 5, *kernel).astype(dtype)
    ranks = (min(5, 6 * int(np.prod(kernel))), min(6, 5 * int(np.prod(kernel))))
    parts = tucker2(weight, ranks, covariance=covariance_of(5) if whitened else None)
    ones = (1,) * len(kernel)
    assert [part.shape for part in parts] == [(ranks[0], 5, *ones), (ranks[1], ranks[0], *kernel), (6, ranks[1], *ones)]
    assert {part.dtype for part in parts} == {np.dtype(dtype)}
    np.testing.assert_allclose(together(*parts), weight, atol=max(60 * np.finfo(dtype).eps, 1e-6))


@pytest.mark.parametrize("kernel", [(3,), (3, 3), (3, 5), (5, 1), (2, 3, 2)])
@given(strides=st.tuples(*[st.integers(1, 3)] * 3), pads=st.tuples(*[st.integers(0, 2)] * 3), data=st.data())
def test_each_axis_keeps_its_stride_and_its_zeros(
    kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], data: st.DataObject
) -> None:
    weight, values = random(4, 3, *kernel), random(3, *(size + 4 for size in kernel))
    axes = data.draw(st.sets(st.sampled_from(range(len(kernel)))))
    full = 3 * int(np.prod([kernel[axis] for axis in axes]))
    first, second = split(weight, min(full, weight.size // full), first_axes=sorted(axes))

    def own(numbers: tuple[int, ...], mine: set[int], without: int) -> list[int]:
        return [numbers[axis] if axis in mine else without for axis in range(len(kernel))]

    rest = set(range(len(kernel))) - axes
    between = convolution(values, first, strides=own(strides, axes, 1), pads=own(pads, axes, 0))
    after = convolution(between, second, strides=own(strides, rest, 1), pads=own(pads, rest, 0))
    both = convolution(values, weight, strides=strides[: len(kernel)], pads=pads[: len(kernel)])
    np.testing.assert_allclose(after, both, atol=1e-6)


@pytest.mark.parametrize("first", ["vertical", "horizontal"])
@pytest.mark.parametrize("rank", [1, 4, 9])
def test_spatial_is_the_truncated_svd_of_its_matrix(first: str, rank: int) -> None:
    weight = random(6, 5, 3, 4)
    order = (0, 3, 1, 2) if first == "vertical" else (0, 2, 1, 3)
    matrix = weight.transpose(order).reshape(6 * weight.shape[order[1]], -1)
    values = np.linalg.svd(matrix, compute_uv=False)
    one, two = spatial(weight, rank, first=first)  # type: ignore[arg-type]
    assert one.shape[2:] == ((3, 1) if first == "vertical" else (1, 4))
    least = np.sqrt((values[rank:] ** 2).sum())
    assert np.linalg.norm(together(one, two) - weight) == pytest.approx(least, rel=1e-6)


def test_channel_has_the_kernel_first_and_low_rank_has_none() -> None:
    first, second = channel(random(8, 4, 3, 5), 6)
    assert (first.shape, second.shape) == ((6, 4, 3, 5), (8, 6, 1, 1))
    first, second = low_rank(random(8, 4), 3)
    assert (first.shape, second.shape) == ((3, 4), (8, 3))
    values = np.linalg.svd(random(8, 4), compute_uv=False)
    assert np.linalg.norm(random(8, 4) - second @ first) == pytest.approx(values[3])


@pytest.mark.parametrize("first", ["vertical", "horizontal"])
def test_whitened_spatial_loses_less_of_the_output(first: str) -> None:
    """Each position of the second kernel sees patches of this covariance; their errors add up."""
    weight, covariance = random(6, 5, 3, 3), covariance_of(15)

    def lost(parts: tuple[np.ndarray, np.ndarray]) -> float:
        apart = (together(*parts) - weight).transpose((0, 3, 1, 2) if first == "vertical" else (0, 2, 1, 3))
        rows = apart.reshape(18, 15)
        return float(np.einsum("ri,ij,rj->", rows, covariance, rows))

    for rank in (2, 6, 12):
        whitened = spatial(weight, rank, first=first, covariance=covariance)  # type: ignore[arg-type]
        assert lost(whitened) < 0.6 * lost(spatial(weight, rank, first=first))  # type: ignore[arg-type]


@pytest.mark.parametrize("sweeps", [0, 2])
@pytest.mark.parametrize("ranks", [(6, 8), (12, 4), (20, 24)])
def test_tucker_2_is_as_near_as_that_of_tensorly(ranks: tuple[int, int], sweeps: int) -> None:
    from tensorly.decomposition import partial_tucker

    weight = random(24, 20, 3, 3)
    (core, factors), _ = partial_tucker(
        weight, rank=[ranks[1], ranks[0]], modes=[0, 1], n_iter_max=max(sweeps, 1), init="svd", tol=0
    )
    theirs = np.einsum("rskl,or,is->oikl", core, *factors)
    ours = together(*tucker2(weight, ranks, sweeps=sweeps))
    error, bound = (float(np.linalg.norm(weight - found)) for found in (ours, theirs))
    assert error <= bound * (1.001 if sweeps else 1.05)


def test_sweeps_lower_the_error_of_tucker_2() -> None:
    weight = random(24, 20, 3, 3)
    errors = [np.linalg.norm(weight - together(*tucker2(weight, (6, 8), sweeps=sweeps))) for sweeps in (0, 1, 3)]
    assert errors[0] > errors[1] > errors[2]


def test_whitened_tucker_2_loses_less_of_the_output() -> None:
    weight, covariance = random(24, 20, 3, 3), covariance_of(20)
    apart = [together(*tucker2(weight, (6, 8), sweeps=2, covariance=given)) - weight for given in (None, covariance)]
    plain, whitened = (float(np.einsum("oikl,ij,ojkl->", rest, covariance, rest)) for rest in apart)
    assert whitened < 0.6 * plain


def test_the_channels_between_three_parts_carry_the_same_energy_on_either_side() -> None:
    first, core, last = tucker2(random(24, 20, 3, 3), (6, 8))
    before = np.linalg.norm(first.reshape(6, 20), axis=1)
    behind = np.linalg.norm(last.reshape(24, 8), axis=0)
    energies = (core * before[None, :, None, None] * behind[:, None, None, None]) ** 2
    np.testing.assert_allclose(before**4, energies.sum(axis=(0, 2, 3)))
    np.testing.assert_allclose(behind**4, energies.sum(axis=(1, 2, 3)))


@pytest.mark.parametrize("weight", [np.zeros((4, 3, 3, 3)), np.full((4, 3, 3, 3), 0.5), random(1, 1, 3, 3)])
def test_zero_constant_and_single_channel_weights_are_met_exactly(weight: np.ndarray) -> None:
    for parts in (spatial(weight, 3), channel(weight, 1), tucker2(weight, (1, 1), sweeps=1)):
        np.testing.assert_allclose(together(*parts), weight, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_scale_does_not_matter(scale: float) -> None:
    weight = random(6, 5, 3, 3)
    for form in (lambda given: spatial(given, 4), lambda given: tucker2(given, (3, 4), sweeps=1)):
        np.testing.assert_allclose(together(*form(weight * scale)) / scale, together(*form(weight)), atol=1e-7)


def test_the_same_every_time() -> None:
    weight, covariance = random(64, 64, 3, 3).astype(np.float32), covariance_of(192)
    once, again = (
        [*spatial(weight, 64, covariance=covariance), *tucker2(weight, (32, 32), sweeps=1)] for _ in range(2)
    )
    assert [part.tobytes() for part in once] == [part.tobytes() for part in again]


def test_the_weight_is_left_as_it_is() -> None:
    weight = random(6, 5, 3, 3)
    before = weight.copy()
    spatial(weight, 9)
    tucker2(weight, (5, 6), sweeps=1, covariance=covariance_of(5))
    np.testing.assert_array_equal(weight, before)


def test_a_root_is_that_of_the_covariance_with_some_of_its_mean_on_the_diagonal() -> None:
    covariance = covariance_of(8)
    root = root_of(covariance, shrinkage=0.1)
    np.testing.assert_array_equal(root, np.tril(root))
    np.testing.assert_allclose(root @ root.T, covariance + 0.1 * np.trace(covariance) / 8 * np.eye(8), atol=1e-12)
    np.testing.assert_array_equal(root_of(np.zeros((3, 3), np.float32)), np.eye(3, dtype=np.float32))


def test_what_hardly_moves_has_the_root_of_what_does_not() -> None:
    wide = np.random.default_rng(0).standard_normal((4, 30)).astype(np.float32) * np.float32(1e-22)
    np.testing.assert_array_equal(root_of(wide @ wide.T), np.eye(4))


def test_a_covariance_that_is_definite_in_double_precision_alone_has_a_root() -> None:
    near = np.full((400, 400), 1.0, np.float32) + np.diag(np.full(400, 2e-7, np.float32))
    root = root_of(near, shrinkage=3e-8)
    assert root.dtype == np.float32
    np.testing.assert_allclose(root @ root.T, near, atol=1e-5)


@pytest.mark.parametrize(
    ("covariance", "sentence"),
    [
        (np.ones((3, 4)), "a covariance is a finite square matrix, not an array of shape [3, 4]"),
        (np.diag([1.0, np.nan]), "a covariance is a finite square matrix, not an array of shape [2, 2]"),
        (np.diag([2.0, -1.0]), "a covariance must have no negative eigenvalue"),
    ],
)
def test_what_is_no_covariance_is_refused(covariance: np.ndarray, sentence: str) -> None:
    with pytest.raises(InvalidData) as raised:
        root_of(covariance)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(number: float) -> None:
    weight = random(6, 5, 3, 3)
    weight[3, 2, 1, 0] = number
    for form in (lambda: spatial(weight, 4), lambda: channel(weight, 4), lambda: tucker2(weight, (3, 3))):
        with pytest.raises(InvalidData) as raised:
            form()
        assert str(raised.value) == "the weight holds NaN or infinity"


@pytest.mark.parametrize("rank", [0, -1, 16])
def test_ranks_that_there_are_not_are_refused(rank: int) -> None:
    with pytest.raises(InvalidData) as raised:
        spatial(random(6, 5, 3, 3), rank)
    assert str(raised.value) == f"a weight of shape [6, 5, 3, 3] has ranks 1 to 15 in this form, not {rank}"


@pytest.mark.parametrize(
    ("ranks", "sentence"),
    [
        ((6, 2), "5 input channels have ranks 1 to 5, not 6"),
        ((5, 0), "6 output channels have ranks 1 to 6, not 0"),
    ],
)
def test_ranks_of_tucker_2_that_there_are_not_are_refused(ranks: tuple[int, int], sentence: str) -> None:
    with pytest.raises(InvalidData) as raised:
        tucker2(random(6, 5, 3, 3), ranks)
    assert str(raised.value) == sentence


def test_a_covariance_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidData) as raised:
        spatial(random(6, 5, 3, 3), 4, covariance=np.eye(5))
    assert str(raised.value) == "the covariance has to be of shape [15, 15] here, not [5, 5]"


def test_a_weight_without_numbers_is_refused() -> None:
    with pytest.raises(InvalidData) as raised:
        spatial(np.zeros((0, 5, 3, 3)), 1)
    assert str(raised.value) == "a weight of shape [0, 5, 3, 3] holds no numbers"


@pytest.mark.parametrize(
    ("weight", "given"),
    [
        (np.ones((6, 5, 3, 3), np.int32), "int32 of shape [6, 5, 3, 3]"),
        (np.ones((6, 5), np.complex64), "complex64 of shape [6, 5]"),
        (np.ones(6, np.float32), "float32 of shape [6]"),
    ],
)
def test_what_is_no_weight_is_refused(weight: np.ndarray, given: str) -> None:
    for form in (lambda: channel(weight, 1), lambda: low_rank(weight, 1), lambda: tucker2(weight, (1, 1))):
        with pytest.raises(InvalidData) as raised:
            form()
        assert str(raised.value) == f"a weight is an array of floats, outputs x inputs x kernel, not {given}"


@pytest.mark.parametrize("axes", [[-1], [2], [0, 5]])
def test_axes_that_the_kernel_lacks_are_refused(axes: list[int]) -> None:
    with pytest.raises(InvalidData) as raised:
        split(random(6, 5, 3, 3), 4, first_axes=axes)
    assert str(raised.value) == f"a kernel of shape [3, 3] has no axes {axes[-1:]}; they count from 0"


def test_a_direction_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidOption) as raised:
        spatial(random(6, 5, 3, 3), 4, first="diagonal")  # type: ignore[arg-type]
    assert str(raised.value) == "'first' must be vertical or horizontal, not 'diagonal'"

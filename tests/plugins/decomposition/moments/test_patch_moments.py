"""Moments of patches: against every patch written out, with padding, strides, dilation, any choice of axes; and of some
patches of each sample."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxpress.decomposition.forms import root_of
from onnxpress_plugins.decomposition.moments import patch_moments
from onnxpress_plugins.decomposition.moments.patch_moments import PatchMoments, bytes_needed, row_count
from onnxpress_plugins.decomposition.moments.tap_means import TapMeans
from onnxpress_plugins.decomposition.moments.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

AXIS = st.builds(
    Window,
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
)


def written_out(data: Array, axes: list[Window]) -> Array:
    """Every patch of every output, ``(outputs, inputs, *kernel)``."""
    sizes = data.shape[2:]
    padded = np.pad(data, [(0, 0), (0, 0), *(axis.padding(size) for axis, size in zip(axes, sizes, strict=True))])
    places = product(*(range(axis.outputs(size)) for axis, size in zip(axes, sizes, strict=True)))
    patches = []
    for place in places:
        taps = [q * a.stride + np.arange(a.kernel) * a.dilation for q, a in zip(place, axes, strict=True)]
        patches.append(padded[np.ix_(range(len(data)), range(data.shape[1]), *taps)])
    return np.concatenate(patches).astype(np.float64)


def expected(patches: Array, first: list[int]) -> Array:
    """The covariance of patches of the first axes, over all outputs and other taps."""
    rest = [axis for axis in range(patches.ndim - 2) if axis not in first]
    apart = patches.transpose([*(axis + 2 for axis in rest), 0, 1, *(axis + 2 for axis in first)])
    size = patches.shape[1] * int(np.prod([patches.shape[axis + 2] for axis in first], dtype=int))
    return np.cov(apart.reshape(-1, size).T, bias=True).reshape(size, size)


@settings(max_examples=60, deadline=None)
@given(axes=st.lists(AXIS, min_size=1, max_size=2), batch=st.integers(1, 2), drawn=st.data())
def test_every_patch_is_counted(axes: list[Window], batch: int, drawn: st.DataObject) -> None:
    first = sorted(drawn.draw(st.lists(st.sampled_from(range(len(axes))), unique=True)))
    sizes = [drawn.draw(st.integers((axis.kernel - 1) * axis.dilation + 1, 7)) for axis in axes]
    samples = [
        np.random.default_rng(seed).standard_normal((batch, 2, *sizes)).astype(np.float32) + 1 for seed in range(2)
    ]
    moments, means = PatchMoments(2, axes, first), TapMeans(2, axes)
    for sample in samples:
        moments.add(sample)
        means.add(sample)
    patches = np.concatenate([written_out(sample, axes) for sample in samples])
    np.testing.assert_allclose(means.mean(), patches.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(moments.covariance(), expected(patches, first), atol=1e-5)
    away = moments.mean() - 1
    np.testing.assert_allclose(
        moments.covariance(about=np.ones_like(away)), moments.covariance() + np.outer(away, away), atol=1e-5
    )


@pytest.mark.parametrize("first", [[], [0], [1, 2], [0, 1, 2]])
def test_three_axes(first: list[int]) -> None:
    axes = [Window(kernel=2), Window(kernel=3, pads=(1, 1)), Window(kernel=2, stride=2)]
    data = np.random.default_rng(0).standard_normal((1, 3, 4, 3, 5)).astype(np.float32)
    moments = PatchMoments(3, axes, first)
    moments.add(data)
    np.testing.assert_allclose(moments.covariance(), expected(written_out(data, axes), first), atol=1e-5)


def test_pieces_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PatchMoments(4, [Window(kernel=3, pads=(1, 1))] * 2, [0])
    monkeypatch.setattr(patch_moments, "_WAITING", 200)
    pieces = PatchMoments(4, [Window(kernel=3, pads=(1, 1))] * 2, [0])
    for seed in range(3):
        data = np.random.default_rng(seed).standard_normal((1, 4, 9, 8)).astype(np.float32)
        whole.add(data)
        pieces.add(data)
    np.testing.assert_allclose(pieces.covariance(), whole.covariance(), atol=1e-5)


def test_the_rows_of_a_matrix() -> None:
    data = np.random.default_rng(0).standard_normal((50, 3))
    moments, means = PatchMoments(3, [Window()], []), TapMeans(3, [Window()])
    moments.add(data.T[None])
    means.add(data.T[None])
    np.testing.assert_allclose(moments.covariance(), np.cov(data.T, bias=True), atol=1e-5)
    np.testing.assert_allclose(means.mean()[:, 0], data.mean(axis=0), atol=1e-5)


def of_images(images: Array) -> PatchMoments:
    moments = PatchMoments(images.shape[1], [Window(kernel=3, pads=(1, 1))] * 2, [0])
    for image in images:
        moments.add(image[None])
    return moments


def blurred(count: int, *, seed: int) -> Array:
    """Images of three channels whose neighbours are alike."""
    noise = np.random.default_rng(seed).standard_normal((count, 3, 26, 26)).astype(np.float32)
    return noise[:, :, :-2, :-2] + noise[:, :, 1:-1, 1:-1] + noise[:, :, 2:, 2:] + 1


def test_later_samples_give_fewer_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_moments, "_PATCHES", 40)
    counts = [of_images(blurred(count, seed=0)).count for count in (1, 2, 3, 4)]
    assert counts == [360, 360 + 180, 360 + 180 + 120, 360 + 180 + 120 + 90]  # 9 rows; an image has 24 * 24 = 576


def test_some_patches_tell_what_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    images = blurred(20, seed=0)
    every = of_images(images).covariance()
    monkeypatch.setattr(patch_moments, "_PATCHES", 40)
    some = of_images(images)
    assert some.count < 1400  # of 11520
    assert np.linalg.norm(some.covariance() - every) < 0.2 * np.linalg.norm(every)
    assert np.linalg.eigvalsh(some.covariance()).min() > 0


def test_every_sample_weighs_the_same_however_few_of_its_patches_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_moments, "_PATCHES", 10)
    moments = PatchMoments(1, [Window()] * 2, [0])
    for value in range(1, 6):
        moments.add(np.full((1, 1, 9, 9), value, np.float32))
    assert moments.count == 10 + 5 + 4 + 3 + 2
    np.testing.assert_allclose(moments.covariance(), [[np.var([1, 2, 3, 4, 5])]], rtol=1e-5)
    np.testing.assert_allclose(moments.covariance(centred=False), [[np.mean(np.square([1, 2, 3, 4, 5]))]], rtol=1e-5)


def test_the_same_patches_are_drawn_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_moments, "_PATCHES", 10)
    images = blurred(3, seed=0)
    np.testing.assert_array_equal(of_images(images).covariance(), of_images(images).covariance())


def test_large_ones_take_half_the_bytes_of_each_number() -> None:
    assert row_count(512, [Window(kernel=3)] * 2, [0]) == 1536
    assert bytes_needed(1536) == 1536**2 * (8 + 2)  # and half as many patches wait as there are rows
    assert bytes_needed(3072) == 3072**2 * (4 + 2)


@pytest.mark.parametrize("limit", [0, 1536])
def test_what_moves_little_about_a_large_mean(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """In float32, products about zero would know nothing of it."""
    monkeypatch.setattr(patch_moments, "_EXACT", limit)
    moves = np.random.default_rng(0).standard_normal((3, 1, 4, 8, 8))
    moments = PatchMoments(4, [Window(kernel=3)] * 2, [0])
    for sample in moves:
        moments.add((sample + 1e4).astype(np.float32))
    patches = np.concatenate([written_out(sample, [Window(kernel=3)] * 2) for sample in moves])
    np.testing.assert_allclose(moments.covariance(), expected(patches, [0]), atol=5e-3)
    root_of(moments.covariance())

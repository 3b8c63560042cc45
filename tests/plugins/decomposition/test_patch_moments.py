"""Moments of patches: against every patch written out, with padding, strides, dilation, and any choice of axes."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxpress_plugins.decomposition import patch_moments
from onnxpress_plugins.decomposition.patch_moments import PatchMoments, bytes_needed, row_count
from onnxpress_plugins.decomposition.windows import Window

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
    """The mean over the other taps of the covariance of patches of the first axes."""
    rest = [axis for axis in range(patches.ndim - 2) if axis not in first]
    apart = patches.transpose([*(axis + 2 for axis in rest), 0, 1, *(axis + 2 for axis in first)])
    size = patches.shape[1] * int(np.prod([patches.shape[axis + 2] for axis in first], dtype=int))
    apart = apart.reshape(-1, len(patches), size)
    return np.mean([np.cov(each.T, bias=True).reshape(size, size) for each in apart], axis=0)


@settings(max_examples=60, deadline=None)
@given(axes=st.lists(AXIS, min_size=1, max_size=2), batch=st.integers(1, 2), drawn=st.data())
def test_every_patch_is_counted(axes: list[Window], batch: int, drawn: st.DataObject) -> None:
    first = sorted(drawn.draw(st.lists(st.sampled_from(range(len(axes))), unique=True)))
    sizes = [drawn.draw(st.integers((axis.kernel - 1) * axis.dilation + 1, 7)) for axis in axes]
    samples = [
        np.random.default_rng(seed).standard_normal((batch, 2, *sizes)).astype(np.float32) + 1 for seed in range(2)
    ]
    moments = PatchMoments(2, axes, first)
    for sample in samples:
        moments.add(sample)
    patches = np.concatenate([written_out(sample, axes) for sample in samples])
    np.testing.assert_allclose(moments.mean(), patches.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(moments.covariance(), expected(patches, first), atol=1e-5)


@pytest.mark.parametrize("first", [[], [0], [1, 2], [0, 1, 2]])
def test_three_axes(first: list[int]) -> None:
    axes = [Window(kernel=2), Window(kernel=3, pads=(1, 1)), Window(kernel=2, stride=2)]
    data = np.random.default_rng(0).standard_normal((1, 3, 4, 3, 5)).astype(np.float32)
    moments = PatchMoments(3, axes, first)
    moments.add(data)
    np.testing.assert_allclose(moments.covariance(), expected(written_out(data, axes), first), atol=1e-5)


def test_pieces_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).standard_normal((1, 4, 9, 8)).astype(np.float32)
    whole, pieces = (PatchMoments(4, [Window(kernel=3, pads=(1, 1))] * 2, [0]) for _ in range(2))
    whole.add(data)
    monkeypatch.setattr(patch_moments, "_CHUNK", 200)
    pieces.add(data)
    np.testing.assert_allclose(pieces.covariance(), whole.covariance(), atol=1e-5)


def test_the_rows_of_a_matrix() -> None:
    data = np.random.default_rng(0).standard_normal((50, 3))
    moments = PatchMoments(3, [Window()], [])
    moments.add(data.T[None])
    np.testing.assert_allclose(moments.covariance(), np.cov(data.T, bias=True), atol=1e-5)
    np.testing.assert_allclose(moments.mean()[:, 0], data.mean(axis=0), atol=1e-5)


def test_large_ones_take_half_the_bytes_of_each_number() -> None:
    assert bytes_needed(row_count(512, [Window(kernel=3)] * 2, [0])) == 1536**2 * 8
    assert bytes_needed(row_count(1024, [Window(kernel=3)] * 2, [0])) == 3072**2 * 4

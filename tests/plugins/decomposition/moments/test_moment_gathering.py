"""Moments of layers, gathered by running the model: right, within memory, and refused without data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from calibrated import graph, numbers
from onnxpress.errors import InvalidData
from onnxpress.kinds import Context
from onnxpress.registry import Registry
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.moments.moment_gathering import Moments, Probe, gather
from onnxpress_plugins.decomposition.moments.patch_moments import PatchMoments
from onnxpress_plugins.decomposition.moments.tap_means import TapMeans


class Samples:
    """Some samples, which can be counted through more than once."""

    is_random = False

    def __init__(self, *arrays: np.ndarray[Any, Any]) -> None:
        self.arrays, self.passes = arrays, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.passes += 1
        yield from ({"x": array} for array in self.arrays)


PICTURES = [numbers(1, 4, 8, 8, seed=seed) + 1 for seed in range(3)]
MODEL = graph(
    "c = Conv<pads = [1, 1, 1, 1]>(x, w) r = Relu(c) y = Conv<strides = [2, 1]>(r, k)",
    y="float[N,3,3,6] y",
    w=numbers(5, 4, 3, 3),
    k=numbers(3, 5, 3, 3, seed=1),
)


def probes() -> list[Probe]:
    layers = [node for node in MODEL.graph if node.op_type == "Conv"]
    return [Probe(node, first) for node in layers for first in ((0,), (1,))]


def context(data: Any) -> Context:
    return Context(catalog=Registry(), data=data, threads=1)


def gathered(data: Samples) -> list[tuple[Probe, Moments]]:
    found = list(gather(MODEL, probes(), context(data)))
    return [(probe, moments) for probe, moments in zip(probes(), found, strict=True) if moments is not None]


def test_every_layer_is_told_what_it_sees() -> None:
    found = gathered(Samples(*PICTURES))
    session = Session(MODEL, outputs=["r", "c", "y"], threads=1)
    runs = [{"x": picture} | session.run({"x": picture}) for picture in PICTURES]
    assert [probe.node.name for probe, _ in found] == ["c", "c", "y", "y"]
    for probe, moments in found:
        expected = PatchMoments(probe.inputs, probe.windows, probe.first_axes)
        means = TapMeans(probe.inputs, probe.windows)
        apart = PatchMoments(probe.inputs, probe.windows, probe.first_axes)
        for number, run in enumerate(runs):
            seen = run[str(probe.node.inputs[0] and probe.node.inputs[0].name)]
            (apart if number == 1 else expected).add(seen)
            means.add(seen)
        np.testing.assert_allclose(moments.covariance, expected.covariance(), atol=1e-4)
        about = apart.covariance(about=expected.mean())
        np.testing.assert_allclose(np.asarray(moments.unseen), about, atol=1e-4)
        np.testing.assert_allclose(np.asarray(moments.mean), means.mean(), atol=1e-4)
        assert moments.count == expected.count


def test_outputs_in_front_of_a_relu_are_weighed_by_how_often_it_is_open() -> None:
    found = {probe.node.name: moments for probe, moments in gathered(Samples(*PICTURES))}
    session = Session(MODEL, outputs=["c", "y"], threads=1)
    runs = [session.run({"x": picture}) for picture in PICTURES]
    c, y = (np.concatenate([run[name] for run in runs]) for name in ("c", "y"))
    often = (c > 0).mean(axis=(0, 2, 3))
    assert often.min() > 0.02
    np.testing.assert_allclose(np.asarray(found["c"].scales), np.sqrt(often))
    assert found["c"].variance == pytest.approx((often * c.var(axis=(0, 2, 3))).sum(), rel=1e-4)
    assert found["y"].scales is None
    assert found["y"].variance == pytest.approx(y.var(axis=(0, 2, 3)).sum(), rel=1e-4)


def test_all_share_one_pass_which_is_over_before_anything_is_asked_for() -> None:
    data = Samples(*PICTURES)
    found = gather(MODEL, probes(), context(data))
    assert data.passes == 1
    assert len(list(found)) == 4 and data.passes == 1


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("y = Gemm<transA = 1>(x, w)", (6, 4)),
        ("y = Gemm<alpha = 0.5>(x, w)", (4, 6)),
        ("y = Gemm(x, w, b)", (4, 6)),
        ("c = Exp(b) y = Gemm(x, w, c)", (4, 6)),
    ],
)
def test_what_is_not_all_that_counts_is_not_looked_at(body: str, shape: tuple[int, int]) -> None:
    constants = {"b": numbers(4, 3)} if "b" in body[5:] else {}
    made = graph(body, x=f"float[{','.join(map(str, shape))}] x", w=numbers(6, 3), **constants)
    data = Samples(numbers(*shape))
    assert list(gather(made, [Probe(made.graph[-1], ())], context(data))) == [None]
    assert data.passes == 0


@pytest.mark.parametrize("body", ["y = MatMul(x, w)", "y = Gemm(x, w)"])
def test_the_rows_of_a_matrix(body: str) -> None:
    x, y = ("float[N,5,4] x", "float[N,5,3] y") if "MatMul" in body else ("float[N,4] x", "float[N,3] y")
    made = graph(body, x=x, y=y, w=numbers(4, 3))
    rows = numbers(6, *([5, 4] if "MatMul" in body else [4]))
    probe = Probe(next(iter(made.graph)), ())
    (moments,) = gather(made, [probe], context(Samples(rows)))
    seen = rows[[0, 2, 3, 4]].reshape(-1, 4).astype(np.float64)  # the others are kept apart
    assert moments is not None and moments.count == len(seen)
    if moments.mean is None:  # MatMul adds nothing that could make good the mean
        np.testing.assert_allclose(moments.covariance, seen.T @ seen / len(seen), atol=1e-5)
    else:
        np.testing.assert_allclose(moments.covariance, np.cov(seen.T, bias=True), atol=1e-5)
        np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-6)


def test_without_data_nothing_can_be_measured() -> None:
    with pytest.raises(InvalidData, match="what layers see cannot be measured without data; give samples with --data"):
        list(gather(MODEL, probes(), context(None)))
    with pytest.raises(InvalidData, match="what layers see cannot be measured: the data hold no sample"):
        list(gather(MODEL, probes(), context(Samples())))


def test_every_fourth_sample_is_kept_apart() -> None:
    made = graph("y = Gemm(x, w)", x="float[N,4] x", y="float[N,3] y", w=numbers(4, 3))
    rows = [np.full((1, 4), value, np.float32) for value in range(8)]
    (moments,) = gather(made, [Probe(made.graph[-1], ())], context(Samples(*rows)))
    assert moments is not None
    np.testing.assert_allclose(moments.covariance, np.full((4, 4), np.var([0, 2, 3, 4, 6, 7])), rtol=1e-5)
    away = np.square(np.array([1, 5]) - np.mean([0, 2, 3, 4, 6, 7])).mean()
    np.testing.assert_allclose(np.asarray(moments.unseen), np.full((4, 4), away), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(moments.mean), np.full(4, np.mean(range(8))))


def test_of_one_sample_nothing_is_kept_apart() -> None:
    given = context(Samples(PICTURES[0]))
    for _ in range(2):
        (moments, *_) = gather(MODEL, probes(), given)
        assert moments is not None and moments.unseen is None
    (warning,) = given.notes.warnings
    assert warning.endswith("of others they are larger: give more samples")


@pytest.mark.parametrize("which", [0, 1])
def test_what_cannot_be_squared_is_told_of_its_layer(which: int) -> None:
    sentence = "the squares of what Gemm 'y' sees are too large for float32; check the preprocessing"
    made = graph("y = Gemm(x, w)", x="float[N,4] x", y="float[N,3] y", w=numbers(4, 3))
    samples = [numbers(1, 4, seed=seed) * np.float32(1e20 if seed % 4 == which else 1) for seed in range(8)]
    with pytest.raises(InvalidData, match=sentence):
        list(gather(made, [Probe(made.graph[-1], ())], context(Samples(*samples))))

"""calibrate: which tensors get a range, from what, and what happens when it cannot be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxpress import hookimpl, model_files, ranges
from onnxpress.data import load
from onnxpress.errors import InvalidData, InvalidOption, UnknownName
from onnxpress.kinds import Context, Observer, Port
from onnxpress.options import bind
from onnxpress.ranges import META_KEY, Range
from onnxpress.records import Notes
from onnxpress.registry import Registry
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.quantization.calibration import CALIBRATE

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]
REGISTRY = Registry()
OBSERVERS = ["entropy", "hfmg", "ifmr", "minmax", "mse", "percentile"]


class Samples:
    """Feeds for the only input `x`, one array each."""

    def __init__(self, *arrays: Array, is_random: bool = False) -> None:
        self.arrays = arrays
        self.is_random = is_random

    def __iter__(self) -> Iterator[Feeds]:
        return ({"x": array} for array in self.arrays)


def numbers(*shape: int, seed: int = 3) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network(
    body: str = "c = Conv(x, w) y = Relu(c)", x: str = "float[N,3,H,W] x", y: str = "float[N,4,H,W] y"
) -> ir.Model:
    """Convolutions with 1x1 kernels `w` (3 to 4 channels) and `v` (4 to 4)."""
    made = model(
        f"g ({x}, float[4,3,1,1] w, float[4,4,1,1] v) => ({y}) {{ {body} }}",
        w=numbers(4, 3, 1, 1),
        v=numbers(4, 4, 1, 1),
    )
    for node in made.graph:
        node.name = node.outputs[0].name
    return made


def calibrate(before: ir.Model, data: Samples | None, **options: Any) -> tuple[dict[str, Range], Notes]:
    after, notes = apply(CALIBRATE, before, data=data, catalog=REGISTRY, **options)
    return found(after), notes


def found(of: ir.Model) -> dict[str, Range]:
    values = [value for graph in of.graphs() for node in graph for value in node.outputs]
    return {v.name or "": v.meta[META_KEY] for v in [*of.graph.inputs, *values] if META_KEY in v.meta}


def test_it_finds_the_extremes_of_what_is_quantised_and_of_nothing_else() -> None:
    x = numbers(5, 3, 4, 6)
    result, notes = calibrate(network(), Samples(x))
    assert list(result) == ["x", "y"]  # not c: the Relu vanishes into the convolution
    assert result["x"] == Range(float(x.min()), float(x.max()))
    expected = np.maximum(np.einsum("nchw,kc->nkhw", x, numbers(4, 3, 1, 1)[:, :, 0, 0]), 0)
    assert result["y"].low == 0
    assert result["y"].high == pytest.approx(float(expected.max()), rel=1e-6)
    assert notes.details == {"observer": "minmax", "samples": 5, "tensors": 2}
    assert notes.counts == {"tensors calibrated": 2}


def test_the_graph_stays_what_it_was() -> None:
    before, data = network(), Samples(numbers(1, 3, 4, 4))
    after, _ = apply(CALIBRATE, before, data=data, catalog=REGISTRY)
    assert_equivalent(before, after, {"x": numbers(2, 3, 5, 5)}, rtol=0, atol=0)
    assert model_files.to_proto(after) == model_files.to_proto(before)


def test_it_leaves_a_model_alone_of_which_nothing_is_quantised() -> None:
    result, notes = calibrate(network("y = Relu(x)", y="float[N,3,H,W] y"), Samples(numbers(1, 3, 4, 4)))
    assert result == {} and notes.counts == {}
    assert notes.warnings == ["nothing to calibrate: onnxruntime-cpu would quantise no node of this model"]


@pytest.mark.parametrize("exclusion", [{"exclude_nodes": ["d"]}, {"exclude_patterns": ["[d-e]"]}])
def test_what_is_excluded_from_quantisation_is_not_calibrated(exclusion: dict[str, list[str]]) -> None:
    two = network("c = Conv(x, w) d = Softmax(c) e = Conv(d, v) y = Relu(e)")
    assert list(calibrate(two, Samples(numbers(1, 3, 4, 4)))[0]) == ["x", "c", "d", "y"]
    without = {"exclude_nodes": ["e"]} if "exclude_nodes" in exclusion else exclusion
    assert list(calibrate(two, Samples(numbers(1, 3, 4, 4)), **without)[0]) == ["x", "c"]


def test_a_subgraph_is_not_calibrated_but_what_it_captures_is() -> None:
    branches = (
        "o = If (p) <then_branch = t () => (float[N,4,H,W] t1) { t1 = Conv(c, v) },"
        " else_branch = e () => (float[N,4,H,W] e1) { e1 = Identity(c) }>"
    )
    whole = network(f"c = Conv(x, w) {branches} y = Relu(o)", x="float[N,3,H,W] x, bool p")

    class Branching(Samples):
        def __iter__(self) -> Iterator[Feeds]:
            return ({"x": array, "p": np.array(True)} for array in self.arrays)

    assert list(calibrate(whole, Branching(numbers(1, 3, 4, 4)))[0]) == ["x", "c"]


@pytest.mark.parametrize("observer", OBSERVERS)
@settings(max_examples=12)
@given(cuts=st.sets(st.integers(1, 6)), order=st.permutations(range(7)))
def test_neither_batches_nor_order_change_a_bit(observer: str, cuts: set[int], order: list[int]) -> None:
    x = numbers(7, 3, 5, 5) * np.arange(1, 8, dtype=np.float32)[:, None, None, None]
    whole = calibrate(network(), Samples(x), observer=observer)[0]
    assert calibrate(network(), Samples(*np.split(x[order], sorted(cuts))), observer=observer)[0] == whole


@pytest.mark.parametrize("observer", OBSERVERS)
def test_samples_may_differ_in_shape(observer: str) -> None:
    small, large = numbers(1, 3, 4, 5), 2 * numbers(1, 3, 9, 7)
    result, notes = calibrate(network(), Samples(small, large, small), observer=observer)
    assert notes.details["samples"] == 3
    assert result["x"].high > np.abs(small).max() or observer != "minmax"


def test_a_fixed_batch_is_run_as_it_is() -> None:
    fixed = network(x="float[2,3,4,4] x", y="float[2,4,4,4] y")
    x = numbers(6, 3, 4, 4)
    result, notes = calibrate(fixed, Samples(x))
    assert result["x"] == Range(float(x.min()), float(x.max()))
    assert notes.details["samples"] == 3


def test_a_number_of_samples_is_a_limit() -> None:
    few, many = numbers(2, 3, 4, 4), 100 * numbers(2, 3, 4, 4, seed=4)
    result, notes = calibrate(network(), Samples(few, many), samples=2)
    assert notes.details["samples"] == 2
    assert result["x"] == Range(float(few.min()), float(few.max()))
    with pytest.raises(InvalidOption, match="pass 'calibrate': samples must be at least 1, not 0"):
        calibrate(network(), Samples(few), samples=0)


def test_an_observer_takes_its_options() -> None:
    x = numbers(1, 3, 50, 50)
    wide, narrow = (
        calibrate(network(), Samples(x), observer="percentile", observer_options=[f"percentile={percentile}"])[0]["x"]
        for percentile in (100, 90)
    )
    assert wide == Range(float(x.min()), float(x.max()))
    assert narrow.high == pytest.approx(np.percentile(x, 95), abs=0.01)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"observer_options": ["percentile"]}, "observer_options takes name=value, not 'percentile'"),
        ({"observer_options": ["percentil=9"]}, "observer 'percentile' has no option 'percentil'; did you mean"),
        ({"observer_options": ["percentile=x"]}, "observer 'percentile': option 'percentile' must be number, not 'x'"),
        ({"observer_options": ["percentile=9"]}, "percentile must be above 50 and at most 100, not 9.0"),
        ({"observer": "entrophy", "observer_options": []}, "no observer is called 'entrophy'; did you mean 'entropy'"),
    ],
)
def test_wrong_options_are_refused_before_the_model_is_seen(options: dict[str, Any], sentence: str) -> None:
    given_options = {"observer": "percentile", **options}
    with pytest.raises((InvalidOption, UnknownName), match=sentence):
        CALIBRATE.build(Context(catalog=REGISTRY), **bind("pass 'calibrate'", CALIBRATE.build, given_options))


def test_no_data_is_an_error_that_says_how_to_give_them_before_any_pass_runs() -> None:
    with pytest.raises(
        InvalidData, match=r"calibration has no data; give .* with --data PATH, .* or --random-data for"
    ):
        CALIBRATE.build(Context(catalog=REGISTRY))
    with pytest.raises(InvalidData, match=r"the calibration data hold no sample; give .* with --data PATH"):
        calibrate(network(), Samples())


def test_random_data_are_warned_of() -> None:
    _, notes = calibrate(network(), Samples(numbers(1, 3, 4, 4), is_random=True))
    assert notes.warnings == ["calibrated on random data: the ranges mean nothing, and the accuracy will not either"]


@pytest.mark.parametrize("poison, what", [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_an_input_that_is_not_finite_is_named_with_its_sample(poison: float, what: str) -> None:
    x = numbers(3, 3, 4, 4)
    x[1, 0, 0, 0] = poison
    sentence = rf"sample 1 \(the first is 0\) puts {what} into tensor 'x', an input of the model; check the preprocess"
    with pytest.raises(InvalidData, match=sentence):
        calibrate(network(), Samples(x))


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize(
    "body, what", [("s = Sqrt(x) y = Conv(s, w)", "NaN"), ("s = Exp(x) y = Conv(s, w)", "infinity")]
)
def test_a_tensor_that_is_not_finite_is_named_with_its_maker(observer: str, body: str, what: str) -> None:
    x = np.ones((3, 3, 4, 4), np.float32)
    x[2] = -1 if what == "NaN" else 1000
    with pytest.raises(InvalidData, match=rf"sample 2 .* puts {what} into tensor 's', made by s \((Sqrt|Exp)\)"):
        calibrate(network(body), Samples(x), observer=observer)


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("value", [0.0, 0.75])
def test_a_constant_tensor_has_a_range_without_width(observer: str, value: float) -> None:
    result, _ = calibrate(network(), Samples(np.full((2, 3, 4, 4), value, np.float32)), observer=observer)
    assert result["x"] == Range(value, value)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_a_tensor_that_is_always_empty_is_named(observer: str) -> None:
    dense = model("g (float[N,R,3] x, float[3,4] w) => (float[N,R,4] y) { y = MatMul(x, w) }", w=numbers(3, 4))
    sentence = rf"observer '{observer}' gives no range for tensor 'x': a range must be finite and ordered, not \["
    with pytest.raises(InvalidData, match=sentence):
        calibrate(dense, Samples(np.zeros((2, 0, 3), np.float32)), observer=observer)


def test_saved_ranges_can_be_used_instead_of_data(tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    measured, _ = calibrate(network(), Samples(numbers(4, 3, 4, 4)), save_ranges=path)
    assert ranges.load(path) == measured
    loaded, notes = calibrate(network(), None, ranges=path)
    assert loaded == measured
    assert notes.details == {"ranges": str(path), "tensors": 2}


def test_a_range_file_of_another_model_is_refused(tmp_path: Path) -> None:
    ranges.save({"x": Range(0, 1), "z": Range(0, 1)}, tmp_path / "ranges.json")
    with pytest.raises(
        InvalidData, match=r"ranges.json lacks the ranges of 1 of 2 tensors to quantise, .* them 'y'; cal"
    ):
        calibrate(network(), None, ranges=tmp_path / "ranges.json")


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    class Interrupted(Samples):
        def __iter__(self) -> Iterator[Feeds]:
            yield from super().__iter__()
            raise KeyboardInterrupt

    given_model = network()
    before = model_files.to_proto(given_model)
    context = Context(catalog=REGISTRY, data=Interrupted(numbers(1, 3, 4, 4), numbers(1, 3, 4, 4)))
    built = CALIBRATE.build(context, save_ranges=tmp_path / "ranges.json")
    with pytest.raises(KeyboardInterrupt):
        built(given_model)
    assert list(tmp_path.iterdir()) == []
    assert found(given_model) == {} and model_files.to_proto(given_model) == before
    assert context.notes == Notes()


@pytest.mark.parametrize(("limit", "count"), [(2, 2), (None, 3), (9, 3)])
def test_progress_is_told_of_every_sample(limit: int | None, count: int) -> None:
    ticks: list[object] = []

    class Told:
        @contextmanager
        def task(self, description: str, total: int | None) -> Iterator[Callable[[], None]]:
            ticks.append((description, total))
            yield lambda: ticks.append(1)

    port = Port(name="x", dtype="float32", shape=("N", 3, "H", "W"))
    context = Context(catalog=REGISTRY, data=load(numbers(3, 3, 4, 4), [port]), progress=Told())
    CALIBRATE.build(context, samples=limit)(network())
    assert ticks == [("calibrating", count), *[1] * count]


def test_a_third_party_observer_sees_every_sample_once() -> None:

    class Recorder:
        def __init__(self) -> None:
            self.shapes: list[tuple[int, ...]] = []

        def update(self, sample: Array, low: float, high: float) -> None:
            assert (low, high) == (sample.min(), sample.max())
            self.shapes.append(sample.shape)

        def merge(self, other: Recorder) -> None:
            self.shapes += other.shapes

        def range(self) -> tuple[float, float]:
            return 0.0, float(len(self.shapes))

    class Plugin:
        @hookimpl
        def onnxpress_observers(self) -> Sequence[Observer]:
            return [Observer(name="recorder", summary="Counts", build=lambda: Recorder())]

    after, _ = apply(
        CALIBRATE,
        network("y = Conv(x, w)"),
        data=Samples(numbers(3, 3, 4, 4), numbers(2, 3, 5, 5)),
        catalog=Registry(Plugin()),
        observer="recorder",
    )
    assert found(after) == {"x": Range(0, 5), "y": Range(0, 5)}


@pytest.mark.long
def test_a_model_over_two_gigabytes_is_calibrated(tmp_path: Path) -> None:
    big = model(
        "g (float[N,64] x, float[64,8200000] w) => (y) { h = MatMul(x, w) y = ReduceMax <axes = [1]> (h) }",
        w=np.zeros((64, 8_200_000), np.float32),
    )
    path = tmp_path / "big.onnx"
    model_files.save(big, path)
    del big
    loaded = model_files.load(path)
    result, _ = calibrate(loaded, Samples(numbers(2, 64)))
    assert "x" in result

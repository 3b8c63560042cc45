from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from onnxpress import data
from onnxpress.errors import InvalidData, UnsupportedModel
from onnxpress.kinds import Port
from onnxpress.measuring.comparing import compare
from onnxpress.runtime import Session
from onnxpress.testing import model

WEIGHT = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
FEEDS = [{"x": np.random.default_rng(seed).normal(size=(3, 6)).astype(np.float32)} for seed in range(4)]


def session(weight: np.ndarray, *, x: str = "x", y: str = "y") -> Session:
    text = f"g (float[N,6] {x}, float[6,4] w) => (float[N,4] {y}) {{ {y} = MatMul({x}, w) }}"
    return Session(model(text, w=weight), threads=1)


def test_against_numpy() -> None:
    other = WEIGHT + np.float32(0.01)
    comparison = compare(session(WEIGHT), session(other), FEEDS)
    x = np.concatenate([feeds["x"] for feeds in FEEDS])
    (output,) = comparison.outputs
    assert comparison.samples == 12
    assert output.name == "y"
    assert output.max_abs == pytest.approx(np.abs(x @ WEIGHT - x @ other).max(), rel=1e-4)
    assert output.top1_agreement == np.mean((x @ WEIGHT).argmax(1) == (x @ other).argmax(1))
    assert comparison.accuracy_a is None


def test_accuracy_with_labels() -> None:
    x = np.concatenate([feeds["x"] for feeds in FEEDS])
    labels = (x @ WEIGHT).argmax(1)
    comparison = compare(session(WEIGHT), session(-WEIGHT), FEEDS, labels=labels)
    assert comparison.accuracy_a == 1.0
    assert comparison.accuracy_b == 0.0


def test_names_are_matched_by_position_when_shapes_agree() -> None:
    comparison = compare(session(WEIGHT), session(WEIGHT, x="image", y="scores"), FEEDS)
    assert comparison.outputs[0].max_abs == 0.0
    assert comparison.outputs[0].name == "y"


@dataclass
class Watching:
    total: int | None = None
    steps: int = 0
    entered: list[str] = field(default_factory=list)

    def task(self, description: str, total: int | None):
        from contextlib import nullcontext

        self.total, self.entered = total, [description]

        def advance() -> None:
            self.steps += 1

        return nullcontext(advance)


def test_progress_counts_batches() -> None:
    x = np.concatenate([feeds["x"] for feeds in FEEDS])
    runner, watching = session(WEIGHT), Watching()
    compare(runner, runner, data.load(x, runner.inputs).batches(5), progress=watching)
    assert (watching.total, watching.steps, watching.entered) == (3, 3, ["compare"])


def test_refusals() -> None:
    runner = session(WEIGHT)
    with pytest.raises(UnsupportedModel) as caught:
        compare(runner, _Wide(), FEEDS)
    assert str(caught.value) == ("the outputs of the two models do not correspond: y ['N', 4] against scores ['N', 5]")
    with pytest.raises(InvalidData, match="there are 5 labels for 12 samples"):
        compare(runner, runner, FEEDS, labels=[0] * 5)
    with pytest.raises(InvalidData, match="comparing needs samples; the data hold none"):
        compare(runner, runner, [])


class _Wide:
    inputs = (Port(name="x", dtype="float32", shape=("N", 6)),)
    outputs = (Port(name="scores", dtype="float32", shape=("N", 5)),)


def test_labels_need_scores() -> None:
    pool = Session(
        model("g (float[N,1,4,4] x) => (float[N,1,2,2] y) { y = MaxPool<kernel_shape=[3,3]>(x) }"), threads=1
    )
    with pytest.raises(InvalidData, match="labels need an output with one score per class; the outputs are y"):
        compare(pool, pool, [{"x": np.zeros((1, 1, 4, 4), np.float32)}], labels=[0])

"""What cannot be written in the end is refused in the beginning, in the same words, before data are read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import compress, hookimpl, testing
from onnxpress import data as datasets
from onnxpress.calibrating import calibrate
from onnxpress.errors import InvalidData, OnnxpressError, UnsupportedModel
from onnxpress.kinds import Backend, Step
from onnxpress.measuring.comparing import compare
from onnxpress.registry import Registry
from onnxpress.runtime import Session
from onnxpress_backends.ascend.deploy_writing import ASCEND_ONNX
from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB
from onnxpress_backends.saved_model.writing import SAVED_MODEL
from onnxpress_backends.tflite.writing import TFLITE

OPEN = "agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"
PAIRS = "agraph (float[2,4] x) => (float[2,4] y) { y = Relu(x) }"
NO_DATA = "there are no such data.npz"


@pytest.mark.parametrize(
    ("backend", "network", "out", "options", "sentence"),
    [
        (ASCEND_ONNX, OPEN, "a_deploy_model.onnx", {}, "input 'x' has the dynamic shape [N,4], "),
        (ASCEND_PB, OPEN, "a_quantized.pb", {}, "input 'x' has the dynamic shape [N,4], "),
        (ASCEND_ONNX, PAIRS, "a_deploy_model.onnx", {"batch": 3}, "input 'x' takes 2 samples, not 3"),
        (ASCEND_PB, OPEN, "a_quantized.pb", {"batch": 0}, "a batch has at least one sample"),
        (TFLITE, PAIRS, "a.tflite", {"batch": 3}, "input 'x' takes 2 samples, not 3"),
        (TFLITE, OPEN, "a.tflite", {"precision": "float16", "integer_io": True}, "option 'integer_io' goes with "),
        (SAVED_MODEL, OPEN, "home/", {}, "home holds something that is no SavedModel"),
    ],
)
def test_a_backend_says_it_early(
    backend: Backend,
    network: str,
    out: str,
    options: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    model = testing.model(network)
    with pytest.raises(OnnxpressError) as late:
        backend.emit(model, Path(out), **options)
    with pytest.raises(OnnxpressError) as early:
        compress(model, out=out, data=NO_DATA, **options)
    assert str(early.value) == str(late.value)
    assert sentence in str(early.value)


def test_what_is_closed_by_an_option_is_not_refused(tmp_path: Path) -> None:
    with pytest.raises(OnnxpressError, match="such data"):
        compress(testing.model(OPEN), out=tmp_path / "a_deploy_model.onnx", data=NO_DATA, batch=2)


@pytest.mark.parametrize("out", ["/proc/a.onnx", "/proc/deep/a/"])
def test_a_place_is_tried_before_the_model_is_read(out: str, tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"onnx")
    with pytest.raises(OnnxpressError, match=r"^cannot write in /proc"):
        compress(tmp_path / "damaged.onnx", out=out, data=NO_DATA)


@pytest.mark.parametrize("kind", ["record", "ranges"])
def test_places_of_calibration_are_tried_early(kind: str) -> None:
    with pytest.raises(OnnxpressError, match=r"^cannot write in /proc"):
        calibrate(testing.model(OPEN), data=NO_DATA, **{kind: "/proc/a"})


def test_a_backend_of_others_is_asked_with_its_own_options(tmp_path: Path) -> None:
    seen: list[tuple[Path, int]] = []

    def emit(model: ir.Model, path: Path, *, level: int = 1, other: int = 2) -> list[Path]:
        path.write_text("there")
        return [path]

    def check(model: ir.Model, path: Path, *, level: int = 1) -> None:
        seen.append((path, level))
        if level > 8:
            raise UnsupportedModel("levels end at 8")

    class Writer:
        @hookimpl
        def onnxpress_backends(self) -> Iterable[Backend]:
            yield Backend(name="abc", summary="Files.", emit=emit, suffixes=(".abc",), check=check)

    path, registry = tmp_path / "a.abc", Registry(Writer())
    compress(testing.model(OPEN), recipe=[], out=path, registry=registry, bench=False, level=3, other=4)
    with pytest.raises(UnsupportedModel, match="levels end at 8"):
        compress(testing.model(OPEN), out=path, registry=registry, data=NO_DATA, level=9)
    assert seen == [(path, 3), (path, 9)]


class Loud:
    """A plugin whose pass must not be reached."""

    @hookimpl
    def onnxpress_run_step(self, step: Step) -> None:
        raise AssertionError(f"{step.name} ran")


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (None, "labels are for samples, and there are none; give --eval-data PATH, or --data PATH"),
        (40, "there are 90 labels for 40 samples"),
        (200, "there are 90 labels for 200 samples"),
    ],
)
def test_labels_are_counted_early(samples: int | None, sentence: str) -> None:
    data = None if samples is None else np.zeros((samples, 4), np.float32)
    with pytest.raises(InvalidData) as early:
        compress(testing.model(OPEN), recipe=["clean-up"], evaluation=data, labels=[0] * 90, registry=Registry(Loud()))
    assert str(early.value) == sentence
    if data is not None:
        runner = Session(testing.model(OPEN))
        with pytest.raises(InvalidData) as late:
            compare(runner, runner, datasets.load(data, runner.inputs).batches(16), labels=[0] * 90)
        assert str(late.value) == sentence

"""Measured latencies: of models that run at these sizes, once each, kept in a file that knows its machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from onnxpress.errors import InvalidData
from onnxpress_plugins.decomposition.speed import timing
from onnxpress_plugins.decomposition.speed.latency import MODELS, Job, Precision
from onnxpress_plugins.decomposition.speed.timing import Measured, clock, machine

CONV = Job(weight_shape=(6, 4, 3, 2), strides=(2, 1), dilations=(1, 2), repeats=2, sizes_in=(9, 8), sizes_out=(5, 8))
NEXT = Job(weight_shape=(3, 6, 1, 1), strides=(1, 1), dilations=(1, 1), repeats=2, sizes_in=(5, 8), sizes_out=(5, 8))
MATRIX = Job(weight_shape=(6, 4), strides=(), dilations=(), repeats=7, sizes_in=(), sizes_out=())
HELD = '{"machine": "MACHINE", "seconds": {"a": %s}}'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SECONDS", 0.0)


def test_every_stack_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []
    measure = timing._measure
    monkeypatch.setattr(timing, "_measure", lambda model: timed.append(model) or measure(model))
    clock = Measured()
    first = clock.seconds([CONV])
    assert first > 0 and clock.seconds([CONV]) == first
    assert clock.seconds([CONV, NEXT]) > 0
    assert len(timed) == 2


def test_a_file_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "latencies.json"
    first = Measured(path).seconds([CONV])
    held = json.loads(path.read_text())
    assert held["machine"] == machine()
    assert held["seconds"] == {"2 x 4 to 6, 3/2/1 of 9 to 5, 2/1/2 of 8 to 8": first}
    held["seconds"] = dict.fromkeys(held["seconds"], 42.0)
    path.write_text(json.dumps(held))
    assert Measured(path).seconds([CONV]) == 42.0


def test_integers_are_timed_apart(tmp_path: Path) -> None:
    path, both = tmp_path / "latencies.json", get_args(Precision)
    assert all(clock(precision, path).seconds([MATRIX]) > 0 for precision in both)
    spelt = "7 x 4 to 6"
    assert list(json.loads(path.read_text())["seconds"]) == [spelt, f"{spelt}; int8"]


def test_without_a_file_the_model_tells_the_time() -> None:
    assert (clock("float32", None), clock("int8", None)) == (MODELS["float32"], MODELS["int8"])


def test_of_another_machine_nothing_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "latencies.json"
    Measured(path).seconds([MATRIX])
    held = json.loads(path.read_text())
    path.write_text(json.dumps({"machine": "another", "seconds": dict.fromkeys(held["seconds"], 42.0)}))
    assert Measured(path).seconds([MATRIX]) != 42.0
    assert json.loads(path.read_text())["machine"] == machine()


@pytest.mark.parametrize("text", ["", "[]", "{}", *(HELD % value for value in ('"b"', "NaN", "-1", "0", "1e999"))])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(text.replace("MACHINE", machine()))
    with pytest.raises(InvalidData, match="holds no measured latencies; delete it or name another file"):
        Measured(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=f"cannot read {tmp_path}: Is a directory"):
        Measured(tmp_path)


def test_the_processor_is_named(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nmodel name : Some CPU @ 2 GHz\n")
    assert machine(info).startswith("Some CPU @ 2 GHz, onnxruntime ")
    assert ", onnxruntime " in machine(tmp_path / "none")

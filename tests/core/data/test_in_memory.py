from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from onnxpress import data
from onnxpress.errors import InvalidData
from onnxpress.kinds import Port

X = Port(name="x", dtype="float32", shape=("N", 2, 3))
SAMPLES = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)


def collected(samples: data.Samples, name: str = "x") -> np.ndarray:
    return np.concatenate([feeds[name] for feeds in samples])


def test_function_is_imported_from_the_working_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my_feeds.py").write_text("import numpy as np\ndef feeds():\n    yield {'x': np.ones((2, 2, 3))}\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    samples = data.load("my_feeds:feeds", [X])
    assert collected(samples).shape == (2, 2, 3)
    assert collected(samples).shape == (2, 2, 3), "it can be read again"
    assert sys.path == path


@pytest.mark.parametrize(
    "source",
    [SAMPLES, {"x": SAMPLES}, [SAMPLES], [{"x": sample} for sample in SAMPLES], lambda: ((s,) for s in SAMPLES)],
    ids=["array", "mapping", "list of arrays", "list of feeds", "function of tuples"],
)
def test_in_memory(source: object) -> None:
    samples = data.load(source, [X])
    np.testing.assert_array_equal(collected(samples), SAMPLES)
    np.testing.assert_array_equal(collected(samples.batches(3)), SAMPLES)
    assert not samples.is_random


def test_failure_of_the_users_function_names_it() -> None:
    def feeds():
        yield SAMPLES
        raise ValueError("disk on fire")

    samples = data.load(feeds, [X])
    with pytest.raises(InvalidData, match="the data: the function failed: ValueError: disk on fire"):
        list(samples)

"""Corrupt TensorFlow files through the command line: a valid model, or one clear line and nothing written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[1] / "corruption.py"


@pytest.fixture(scope="module")
def tf() -> Any:
    from onnxpress_frontends.tensorflow_import import import_tensorflow

    return import_tensorflow()


@pytest.fixture(scope="module")
def sources(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small model in every format."""
    from onnxpress_frontends.tensorflow_import import import_keras

    folder, layers = tmp_path_factory.mktemp("sources"), import_keras().layers
    image = import_keras().Input((8, 8, 3), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(image))
    model = import_keras().Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.export(folder / "exported", verbose=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "float.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.full((1, 8, 8, 3), value, np.float32)] for value in (-1, 1))
    (folder / "integers.tflite").write_bytes(converter.convert())
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        weight = tf.compat.v1.get_variable("weight", initializer=np.ones((4, 3), np.float32))
        scores = tf.nn.softmax(x @ weight, name="scores")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / "checkpoint" / "model"))
        tf.compat.v1.saved_model.simple_save(session, str(folder / "old"), {"x": x}, {"scores": scores})
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["scores"])
    (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
    names = "model.keras model.h5 exported checkpoint old frozen.pb float.tflite integers.tflite"
    return [folder / name for name in names.split()]


def check(sources: list[Path], seeds: tuple[int, int], folder: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(folder), "--seeds", *map(str, seeds), "--sources", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (outcomes[-1:], done.stderr)
    assert len(outcomes) == len(sources) * (seeds[1] - seeds[0])
    for outcome in outcomes:
        said = outcome["said"]
        assert outcome["code"] in (0, 1, 2), outcome
        if outcome["code"] == 0:
            assert outcome["left"] == ["model.onnx"], outcome
        else:
            assert len(said) == 1 and said[0].startswith("onnxpress: "), outcome
            assert "internal error" not in said[0], outcome
            assert outcome["left"] == [], outcome
    assert {outcome["code"] for outcome in outcomes} >= {0, 1}


def test_corrupt_files(sources: list[Path], tmp_path: Path) -> None:
    check(sources, (0, 5), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(100, 200, 25))
def test_many_corrupt_files(sources: list[Path], tmp_path: Path, first: int) -> None:
    check(sources, (first, first + 25), tmp_path)


def test_tensorflow_aborting_is_one_line(tf: Any, tmp_path: Path) -> None:
    """A per-channel range for a scalar: TensorFlow does not see it before it folds the constant, and then aborts."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 3), name="x")
        scalar = tf.io.parse_tensor(tf.io.serialize_tensor(tf.constant(1.0)), tf.float32)
        tf.add(x, tf.quantization.fake_quant_with_min_max_vars_per_channel(scalar, [0.0], [1.0]), name="y")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (tmp_path / "out.onnx").write_bytes(b"what was there before")
    command = [sys.executable, "-m", "onnxpress.cli", "convert", "graph.pb", "--inputs", "x", "-o", "out.onnx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "onnxpress: a native library crashed (SIGABRT: d >= 0 (-1 vs. 0)); the model file may be corrupt; "
        "no file is half-written\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.pb", "out.onnx"]
    assert (tmp_path / "out.onnx").read_bytes() == b"what was there before"

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidData
from onnxpress.kinds import Port
from onnxpress_frontends.tensorflow_source import reference


def test_the_reference_is_the_model_itself(cnn: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 16, 16, 3)).astype(np.float32)
    runner = reference(cnn)
    assert runner.inputs == (Port(name="image", dtype="float32", shape=("N", 16, 16, 3)),)
    assert runner.outputs == (Port(name="scores", dtype="float32", shape=("N", 5)),)
    np.testing.assert_allclose(runner.run({"image": x})["scores"], cnn(x, training=False), rtol=1e-6)


def test_the_order_of_feeds_does_not_matter_and_outputs_keep_theirs(two_ended: Any) -> None:
    left, right = np.ones((2, 4), np.float32), np.full((2, 3), 2, np.float32)
    outputs = reference(two_ended).run({"right": right, "left": left})
    expected = two_ended([left, right])
    assert list(outputs) == ["total", "part"]
    np.testing.assert_allclose(outputs["total"], expected["total"], rtol=1e-6)
    np.testing.assert_allclose(outputs["part"], expected["part"], rtol=1e-6)


def test_variables_live_as_long_as_the_reference(cnn: Any, tmp_path: Path) -> None:
    path = tmp_path / "cnn.keras"
    cnn.save(path)
    runner = reference(path)
    gc.collect()
    x = np.ones((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(runner.run({"image": x})["scores"], cnn(x, training=False), rtol=1e-6)


def test_wrong_names_and_shapes_are_named(cnn: Any) -> None:
    runner = reference(cnn)
    with pytest.raises(InvalidData, match=r"'cnn' takes inputs \['image'\], not \['pixels'\]"):
        runner.run({"pixels": np.zeros((1, 16, 16, 3), np.float32)})
    with pytest.raises(InvalidData, match="TensorFlow cannot run 'cnn'") as caught:
        runner.run({"image": np.zeros((1, 16, 16, 4), np.float32)})
    assert "\n" not in str(caught.value)

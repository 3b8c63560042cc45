from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder, save, values, variable
from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.meta_graphs import open_checkpoint
from onnxpress_frontends.tensorflow_source import load


def swap_values(tf: Any, original: Any, folder: Path, **variables: Any) -> Path:
    """The original's graph, with the values of other variables."""
    with tf.Graph().as_default():
        for name, value in variables.items():
            tf.compat.v1.get_variable(name, initializer=tf.constant(value))
        save(tf, str(folder / "model"), {}, [])
    shutil.copy(original.source, folder / "model.meta")
    return folder / "model.meta"


def test_values_of_another_graph(tf: Any, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "swapped").mkdir()
    source = swap_values(tf, plain, tmp_path / "swapped", bias=values(3), extra=values(2))
    message = (
        r"lacks 1 of the 2 variables that the outputs need: 'weight'; it has 'bias', 'extra'; "
        "give the checkpoint that belongs to this graph"
    )
    with pytest.raises(InvalidModel, match=message):
        load(source)


def test_values_of_another_shape(tf: Any, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "swapped").mkdir()
    source = swap_values(tf, plain, tmp_path / "swapped", bias=values(3), weight=values(5, 3))
    with pytest.raises(
        InvalidModel, match=r"variable 'weight' has shape 4x3 in the graph and 5x3 in checkpoint .*; give"
    ):
        load(source)


def test_values_of_another_type(tf: Any, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "swapped").mkdir()
    source = swap_values(tf, plain, tmp_path / "swapped", bias=values(3), weight=values(4, 3).astype("float64"))
    with pytest.raises(
        InvalidModel, match=r"variable 'weight' has another type than in checkpoint .* it is float64; give"
    ):
        load(source)


def test_values_that_no_output_needs_may_be_missing(tf: Any, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "swapped").mkdir()
    source = swap_values(tf, plain, tmp_path / "swapped", weight=values(4, 3))
    assert [value.name for value in load(source, outputs=["MatMul"]).graph.outputs] == ["MatMul"]


def test_a_big_reference_variable_is_an_argument_of_the_function(make: Any, tf: Any) -> None:
    def build() -> None:
        x = tf.matmul(placeholder(tf, "x", None, 80), variable(tf, "big", 80, 80, use_resource=False))
        tf.add(x, variable(tf, "small", 80, use_resource=False), name="y")

    function = open_checkpoint(make(build, {}, []).source, None, None)
    assert [(name, array.shape) for name, array in function.weights.items()] == [("big:0", (80, 80))]
    assert [tensor.name for tensor in function.function.inputs] == ["x:0", "big:0"]


def test_a_resource_variable_is_captured(make: Any, tf: Any) -> None:
    def build() -> None:
        tf.matmul(placeholder(tf, "x", None, 4), variable(tf, "weight", 4, 3, use_resource=True), name="y")

    function = open_checkpoint(make(build, {}, []).source, None, None)
    assert (len(function.weights), len(function.function.captured_inputs)) == (0, 1)

"""A case: a small source, how a user of each tool converts it, and what TensorFlow computes on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Converter = Callable[[Path], int | None]
"""Writes a path, by a function, or by a command with an exit code; raises if it cannot."""

OPSET = 17
"""What tf2onnx is asked for: the newest in which its rules for means still apply."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A source made for a case.

    Attributes:
        source: What `onnxpress.convert` is given.
        stock: Converts it with tf2onnx to a path.
        feeds: One array per input.
        expected: What TensorFlow computes of them, one array per output.
    """

    source: Any
    stock: Converter
    feeds: Sequence[Array]
    expected: Sequence[Array]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something that a converter may get wrong.

    Attributes:
        name: What it is.
        make: Makes the sample in an empty folder.
        counted: What of the result is counted beside its numbers.
        count: Counts it in an `onnx.ModelProto`.
        wanted: How many there should be.
        refused: Whether the only right answer is to refuse.
    """

    name: str
    make: Callable[[Path], Sample]
    counted: str = ""
    count: Callable[[Any], int] | None = None
    wanted: int = 0
    refused: bool = False


def values(*shape: int, low: float = -1.0, high: float = 1.0, seed: int = 0) -> Array:
    """Random numbers, float32, the same every time."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def of_keras(model: Any, *shape: int) -> Sample:
    """A Keras model, every weight of it random; `shape` is that of a batch."""
    import keras

    model.set_weights([values(*weight.shape, low=0.2, seed=index) for index, weight in enumerate(model.get_weights())])
    feed = values(*shape)
    return Sample(
        source=model,
        stock=from_keras(model),
        feeds=[feed],
        expected=[each.numpy() for each in keras.tree.flatten(model(feed, training=False))],
    )


def from_keras(model: Any) -> Converter:
    """The function of tf2onnx for Keras models."""

    def convert(out: Path) -> None:
        import tf2onnx

        tf2onnx.convert.from_keras(model, opset=OPSET, output_path=str(out))

    return convert


def of_function(compute: Callable[[Any], Any], feed: Array, *, large_model: bool = False) -> Sample:
    """A function of one tensor, any batch size, through ``from_function``."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *feed.shape[1:]), feed.dtype, name="x")]
    function = tf.function(compute, input_signature=signature)

    def stock(out: Path) -> None:
        tf2onnx.convert.from_function(function, signature, opset=OPSET, output_path=str(out), large_model=large_model)

    expected = [each.numpy() for each in tf.nest.flatten(function(feed))]
    return Sample(source=function, stock=stock, feeds=[feed], expected=expected)


def of_graph(folder: Path, graph: Any, feed: Array, expected: Array) -> Sample:
    """A frozen `GraphDef` from ``x`` to ``y``, as a file and through ``from_graph_def``."""
    import tf2onnx

    path = folder / "graph.pb"
    path.write_bytes(graph.SerializeToString())

    def stock(out: Path) -> None:
        tf2onnx.convert.from_graph_def(
            graph, input_names=["x:0"], output_names=["y:0"], opset=OPSET, output_path=str(out)
        )

    return Sample(source=path, stock=stock, feeds=[feed], expected=[expected])


def by_command(*arguments: str | Path) -> Converter:
    """The command line of tf2onnx."""

    def convert(out: Path) -> int:
        return run_command("-m", "tf2onnx.convert", *arguments, "--opset", OPSET, "--output", out)

    return convert


def run_command(*arguments: object) -> int:
    """Run a Python command; returns its exit code, 0.

    Raises:
        RuntimeError: Its exit code is not 0; the message has it, and the last line.
    """
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    return 0

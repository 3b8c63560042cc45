"""Random graphs of images and sequences in TensorFlow, in either order of the axes, against onnxruntime.

Where a comparison or a normalisation of equal numbers makes a difference of one bit large, other inputs do not; a
wrong layout is wrong with any.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from frozen_graphs import FrozenGraph
from layout_graphs import Growing, convolution
from layout_mixtures import calm, layout_graph
from onnxpress.runtime import Session
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
from onnxpress_backends.tensorflow.preparing import lowered

NEAR = 1e-5


def turned(array: Any, nhwc: bool) -> Any:
    return np.moveaxis(array, 1, -1) if nhwc and array.ndim in (4, 5) else array


def distances(model: ir.Model, path: Path, feeds: Mapping[str, Any], nhwc: bool) -> Iterator[tuple[str, float]]:
    """How far each output is from onnxruntime's, of the largest number in it."""
    expected = Session(model, threads=1).run(feeds)
    graph = FrozenGraph(path)
    names = [value.name or "" for value in model.graph.outputs]
    actual = graph.run({name: turned(array, nhwc) for name, array in feeds.items()}, names)
    graph.close()
    for name, array in zip(names, actual, strict=True):
        reference = turned(expected[name], nhwc)
        assert array.shape == reference.shape, name
        yield name, float(np.abs(array - reference).max(initial=0) / max(np.abs(reference).max(initial=0), 1))


def agrees(seed: int, path: Path, *, quantized: bool = False) -> None:
    nhwc = bool(seed % 2)
    model, feeds = layout_graph(seed, quantized=quantized)
    TENSORFLOW_PB.emit(model, path, mode="exact", nhwc=nhwc)
    wrong: list[tuple[str, float]] = []
    for trial in range(3):
        wrong = [(name, far) for name, far in distances(model, path, feeds, nhwc) if not far < NEAR]
        if not wrong:
            return
        random = np.random.default_rng(trial)
        feeds = {name: random.standard_normal(array.shape).astype(np.float32) for name, array in feeds.items()}
    raise AssertionError(f"graph {seed}: {wrong}")


@pytest.mark.parametrize("block", range(4))
def test_random_graphs(tf: Any, tmp_path: Path, block: int) -> None:
    for seed in range(15 * block, 15 * block + 15):
        agrees(seed, tmp_path / "model.pb", quantized=block == 3)


@pytest.mark.long
@pytest.mark.parametrize("block", range(10))
def test_many_random_graphs(tf: Any, tmp_path: Path, block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        agrees(seed, tmp_path / "model.pb", quantized=block > 6)


def test_images_are_transposed_where_they_come_in_and_go_out_only() -> None:
    for seed in range(40):
        growing = Growing(Random(seed), opset=18)
        growing.feed([2, 4, 6, 6])
        convolution(growing, *growing.shapes.popitem())
        for _ in range(15):
            growing.grow(calm())
        model = growing.end()
        ends = len(model.graph.inputs) + len(model.graph.outputs)
        assert count(model, nhwc=False) <= ends
        assert count(model, nhwc=True) == 0


def count(model: ir.Model, *, nhwc: bool) -> int:
    return [node.op for node in lowered(model, nhwc=nhwc).nodes].count("Transpose")


WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from layout_mixtures import layout_graph
from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB
for seed in range(12):
    path = Path(sys.argv[2]) / f"{seed}.pb"
    TENSORFLOW_PB.emit(layout_graph(seed, quantized=seed > 6)[0], path, nhwc=seed % 2 == 1)
    sys.stdout.buffer.write(path.read_bytes())
"""


def test_the_bytes_do_not_depend_on_hashes(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", WRITE, tests, str(tmp_path)]
    written = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True).stdout
        for seed in ("1", "2")
    }
    assert len(written) == 1
    assert len(written.pop()) > 10_000


@pytest.mark.parametrize("seed", range(8))
def test_any_names_of_values(tf: Any, tmp_path: Path, seed: int) -> None:
    """Names that TensorFlow does not allow, that differ in case only, that are those of its operators."""
    model, feeds = layout_graph(seed)
    random = Random(seed)
    strange = [
        "Const",
        "const",
        "x:0",
        "x",
        "a/b",
        "a/b/Reshape",
        "/a",
        "_hidden",
        "é",
        "a b",
        "Reshape",
        "v1/Transpose",
    ]
    values = [*model.graph.inputs, *(output for node in model.graph for output in node.outputs)]
    names = random.sample(strange, min(len(values), len(strange)))
    renamed = dict(zip(random.sample(values, len(names)), names, strict=True))
    for value, name in renamed.items():
        feeds = {name if old == value.name else old: array for old, array in feeds.items()}
        value.name = name
    expected = list(Session(model, threads=1).run(feeds).values())
    TENSORFLOW_PB.emit(model, tmp_path / "model.pb", mode="exact")
    graph = lowered(model, mode="exact")
    inputs = [node.name for node in graph.nodes if node.op == "Placeholder"]
    frozen = FrozenGraph(tmp_path / "model.pb")
    actual = frozen.run(dict(zip(inputs, feeds.values(), strict=True)), list(graph.outputs))
    frozen.close()
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

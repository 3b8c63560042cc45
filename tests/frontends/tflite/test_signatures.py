from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidModel, InvalidOption
from onnxpress_frontends.tflite.contents import Contents, Graph, Tensor
from onnxpress_frontends.tflite.reading import read
from onnxpress_frontends.tflite.signatures import choose
from onnxpress_frontends.tflite_source import load


@pytest.fixture(scope="module")
def two(tf: Any, two_signatures: Path) -> Path:
    """Signatures ``both`` and ``double``, as in the SavedModel."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(two_signatures), signature_keys=["double", "both"])
    path = two_signatures.parent / "two.tflite"
    path.write_bytes(converter.convert())
    return path


def test_a_signature_is_chosen_and_gives_the_names(two: Path, agree: Any) -> None:
    double, both = agree(two, signature="double"), agree(two, signature="both")
    assert [value.name for value in (*double.graph.inputs, *double.graph.outputs)] == ["x", "y"]
    assert sorted(value.name for value in both.graph.inputs) == ["alpha", "zeta"]
    assert [value.name for value in both.graph.outputs] == ["first", "second"]


def test_several_signatures_must_be_told_apart(two: Path) -> None:
    with pytest.raises(InvalidOption, match=r"'two' has several signatures, 'both', 'double'; name one with option"):
        load(two)
    with pytest.raises(InvalidOption, match=r"'two' has no signature 'triple'; its signatures: 'both', 'double'$"):
        load(two, signature="triple")


def test_without_a_signature_ends_are_called_after_their_tensors(
    network: Any, write: Any, edit: Any, agree: Any
) -> None:
    path = edit(write(network), lambda model: setattr(model, "signatureDefs", None))
    model = agree(path)
    assert [value.name for value in model.graph.inputs] == ["image"]
    assert [value.name for value in model.graph.outputs] == ["StatefulPartitionedCall_1"]


def test_names_that_are_taken_get_numbers() -> None:
    tensors = tuple(Tensor(name="serving_default_x:0", dtype="float32", shape=()) for _ in range(3))
    graph = Graph(tensors=tensors, operators=(), inputs=(0, 1), outputs=(2,))
    chosen = choose(Contents(title="m", graphs=(graph,), signatures=()), None)
    assert (chosen.inputs, chosen.outputs) == (((0, "x"), (1, "x_1")), ((2, "x_2"),))


def test_a_signature_that_does_not_fit_its_graph(signed: Path, edit: Any) -> None:
    path = edit(signed, lambda model: setattr(model.subgraphs[0], "inputs", np.array([0, 1], np.int32)))
    with pytest.raises(InvalidModel, match="'signed' is corrupt: signature 'serving_default' names other inputs"):
        choose(read(path), None)


def test_a_graph_without_ends() -> None:
    graph = Graph(tensors=(), operators=(), inputs=(), outputs=())
    with pytest.raises(InvalidModel, match="'m' has 0 inputs and 0 outputs; needs both"):
        choose(Contents(title="m", graphs=(graph,), signatures=()), None)

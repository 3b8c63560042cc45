from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.tflite.reading import read


def test_a_file(dense: Path) -> None:
    contents = read(dense)
    (graph,) = contents.graphs
    assert contents.title == "dense"
    assert [operator.code for operator in graph.operators] == ["FULLY_CONNECTED"]
    (x,), (result,) = ([graph.tensors[index] for index in ends] for ends in (graph.inputs, graph.outputs))
    assert (x.dtype, x.shape, x.data, x.grid) == ("float32", (2, 6), None, None)
    kernel = graph.tensors[graph.operators[0].inputs[1]]
    assert kernel.data is not None
    assert (kernel.shape, kernel.data.shape, result.shape) == ((5, 6), (5, 6), (2, 5))


def test_sizes_that_are_open(tf: Any, write: Any) -> None:
    graph = read(write(lambda x: tf.abs(x), (None, 4))).graphs[0]
    assert graph.tensors[graph.inputs[0]].shape == (None, 4)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(InvalidModel, match=r"model\.tflite cannot be read: No such file or directory$"):
        read(path)
    for content in (b"", b"TFL3", b"\x08\x00\x00\x00ONNX" * 9):
        path.write_bytes(content)
        with pytest.raises(InvalidModel, match=r"model\.tflite is not a TFLite file: it does not begin with 'TFL3'$"):
            read(path)


def test_truncated_files_are_refused_in_one_line(dense: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "cut.tflite", dense.read_bytes()
    for length in range(8, len(content), len(content) // 40):
        path.write_bytes(content[:length])
        with pytest.raises(InvalidModel, match=r"cut\.tflite is truncated or corrupt: [^\n]+$"):
            read(path)


def _set(name: str, value: Any) -> Any:
    """Something of the first graph, by its path, e.g. ``operators.0.inputs``."""

    def change(model: Any) -> None:
        owner = model.subgraphs[0]
        *parts, last = name.split(".")
        for part in parts:
            owner = owner[int(part)] if part.isdigit() else getattr(owner, part)
        setattr(owner, last, value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("operators.0.inputs", np.array([0, 99, -1], np.int32)), r"it names tensor 99 of \d"),
        (_set("operators.0.outputs", np.array([-1], np.int32)), r"it names tensor -1 of \d"),
        (_set("operators.0.opcodeIndex", 7), "it names operator code 7 of 1"),
        (_set("tensors.0.buffer", 70), "it names buffer 70 of "),
        (_set("tensors.0.type", 99), "it names type 99 of "),
        (_set("tensors.0.shape", np.array([2, -6], np.int32)), r"a tensor has the shape \[2, -6\]"),
        (_set("tensors.0.shapeSignature", np.array([2], np.int32)), "has 2 dimensions, and 1 in its signature"),
        (_set("inputs", np.array([44], np.int32)), "it names tensor 44 of "),
        (lambda model: setattr(model, "subgraphs", []), "it holds no graph"),
    ],
)
def test_what_points_nowhere_is_refused(dense: Path, edit: Any, change: Any, message: str) -> None:
    with pytest.raises(InvalidModel, match=rf"dense\.tflite is truncated or corrupt: .*{message}"):
        read(edit(dense, change))


def test_a_signature_of_no_graph(signed: Path, edit: Any) -> None:
    with pytest.raises(InvalidModel, match="corrupt: it names graph of a signature 3 of 1"):
        read(edit(signed, lambda model: setattr(model.signatureDefs[0], "subgraphIndex", 3)))


def test_a_constant_with_too_few_bytes_is_named(dense: Path, edit: Any) -> None:
    kernel = read(dense).graphs[0].operators[0].inputs[1]

    def change(model: Any) -> None:
        model.subgraphs[0].tensors[kernel].shape = np.array([9, 9], np.int32)

    with pytest.raises(InvalidModel, match=r"tensor '[^']+': it has 120 bytes for 81 values of type float32$"):
        read(edit(dense, change))


def test_quantisation_by_blocks_is_refused(tf: Any, write: Any, edit: Any) -> None:
    path = write(lambda x: tf.nn.relu(x), (2, 6), kind="int8")

    def change(model: Any) -> None:
        from tensorflow.lite.python.schema_py_generated import BlockwiseQuantizationT

        quantization = next(
            tensor.quantization for tensor in model.subgraphs[0].tensors if tensor.quantization.scale is not None
        )
        quantization.detailsType, quantization.details = 2, BlockwiseQuantizationT()

    with pytest.raises(UnsupportedModel, match=r"cannot be converted: tensor '.*': it is quantised by blocks"):
        read(edit(path, change))


def test_weights_behind_the_flatbuffer(dense: Path, edit: Any) -> None:
    """As in files beyond 2 GB."""
    kernel = read(dense).graphs[0].tensors[read(dense).graphs[0].operators[0].inputs[1]].data
    assert kernel is not None

    def change(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].inputs[1]]
        buffer = model.buffers[tensor.buffer]
        buffer.data, buffer.offset, buffer.size = None, 4096, kernel.nbytes

    path = edit(dense, change)
    path.write_bytes(path.read_bytes().ljust(4096, b"\0") + kernel.tobytes())
    graph = read(path).graphs[0]
    np.testing.assert_array_equal(graph.tensors[graph.operators[0].inputs[1]].data, kernel)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidModel, match=r"a buffer ends at byte 4216 of 4215$"):
        read(path)

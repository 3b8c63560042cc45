from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.op_safety import CHECKPOINT, HARMFUL, refuse_harmful
from onnxpress_frontends.tensorflow_source import load


def test_python_functions_in_a_graph_are_refused(tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 3), name="x")
        tf.compat.v1.py_func(lambda a: a, [x], tf.float32, name="python")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UnsupportedModel, match=r"holds operators that run code .*: PyFunc \(first 'python'\)"):
        load(path)


def test_file_access_in_a_saved_model_is_refused_before_it_is_loaded(tf: Any, tmp_path: Path) -> None:
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="path")])
        def __call__(self, path: Any) -> Any:
            return {"content": tf.io.read_file(path)}

    tf.saved_model.save(Reader(), tmp_path / "reader")
    with pytest.raises(UnsupportedModel, match=r"touch files: ReadFile \(first '__inference___call___\d+/ReadFile"):
        load(tmp_path / "reader")


@pytest.mark.parametrize("operator", ["DatasetFromGraph", "DecodeProtoV2", "EncodeProto"])
def test_a_graph_in_a_string_and_descriptor_files_are_refused(tf: Any, operator: str) -> None:
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="hidden", op=operator)
    with pytest.raises(UnsupportedModel, match=rf"graph\.pb holds .*: {operator} \(first 'hidden'\); such a model"):
        refuse_harmful(graph, "graph.pb")


def test_an_initialiser_that_writes_a_checkpoint_is_refused(tf: Any, tmp_path: Path) -> None:
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2,), name="x")])
        def __call__(self, x: Any) -> Any:
            tf.raw_ops.SaveV2(prefix=str(tmp_path / "loot"), tensor_names=["x"], shape_and_slices=[""], tensors=[x])
            return {"y": x + 1}

    tf.saved_model.save(Writer(), tmp_path / "writer")
    with pytest.raises(UnsupportedModel, match=r"run code or touch files: SaveV2 \(first '__inference"):
        load(tmp_path / "writer")
    assert not list(tmp_path.glob("loot*"))


def test_every_name_is_an_operator_of_tensorflow(tf: Any) -> None:
    from tensorflow.python.framework import op_def_registry

    unknown = [name for name in sorted(HARMFUL | CHECKPOINT) if op_def_registry.get(name) is None]
    assert unknown == []

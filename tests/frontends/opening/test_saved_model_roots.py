from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


@pytest.fixture
def old(tf: Any, tmp_path: Path) -> Path:
    """A SavedModel of TensorFlow 1; its node 'loot' would write a checkpoint, but nothing depends on it."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        rows = v1.placeholder(tf.float32, (None, 4), name="rows")
        weight = v1.get_variable("weight", (4, 3), use_resource=True)
        result = tf.matmul(rows, weight, name="result")
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "loot"), tensor_names=["x"], shape_and_slices=[""], tensors=[[1.0]], name="loot"
        )
        session.run(weight.initializer)
        builder = v1.saved_model.Builder(str(tmp_path / "old"))
        signature = v1.saved_model.predict_signature_def({"rows": rows}, {"result": result})
        start = tf.group(tf.no_op(), name="start")
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=start)
        builder.save()
    return tmp_path / "old"


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = folder / "saved_model.pb"
    model = SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def wait_for_loot(meta: Any, name: str) -> None:
    (node,) = (node for node in meta.graph_def.node if node.name == name)
    node.input.append("^loot")


def refused(folder: Path, operators: str) -> None:
    with pytest.raises(UnsupportedModel, match=rf"operators that run code or touch files: {operators}; such a model"):
        load(folder)
    assert not list(folder.parent.glob("loot*"))


def test_a_writer_that_nothing_calls_is_tolerated(old: Path) -> None:
    assert [value.name for value in load(old).graph.outputs] == ["result"]
    assert not list(old.parent.glob("loot*"))


@pytest.mark.parametrize("root", ["start", "result"])
def test_an_initialiser_or_signature_that_writes_is_refused(old: Path, root: str) -> None:
    edit(old, lambda meta: wait_for_loot(meta, root))
    refused(old, r"SaveV2 \(first 'loot'\)")


def test_a_restore_operation_that_writes_is_refused(old: Path) -> None:
    edit(old, lambda meta: wait_for_loot(meta, meta.saver_def.restore_op_name))
    refused(old, r"SaveV2 \(first 'loot'\)")


def test_an_initialiser_that_reads_checkpoints_is_refused(old: Path) -> None:
    def restore_at_start(meta: Any) -> None:
        (node,) = (node for node in meta.graph_def.node if node.name == "start")
        node.input.append(f"^{meta.saver_def.restore_op_name}")

    edit(old, restore_at_start)
    refused(old, r"RestoreV2 \(first 'save/RestoreV2'\)")


def test_the_writer_itself_as_an_initialiser_is_refused(old: Path) -> None:
    def initialise(meta: Any) -> None:
        meta.collection_def["saved_model_main_op"].node_list.value[:] = ["loot"]

    edit(old, initialise)
    refused(old, r"SaveV2 \(first 'loot'\)")


def test_the_writer_as_the_initialiser_of_a_local_variable_is_refused(old: Path) -> None:
    from tensorflow.core.framework.variable_pb2 import VariableDef

    variable = VariableDef(variable_name="local:0", initializer_name="loot").SerializeToString()
    edit(old, lambda meta: meta.collection_def["local_variables"].bytes_list.value.append(variable))
    refused(old, r"SaveV2 \(first 'loot'\)")


def test_a_corrupt_local_variable_is_refused(old: Path) -> None:
    edit(old, lambda meta: meta.collection_def["local_variables"].bytes_list.value.append(b"\xff"))
    with pytest.raises(InvalidModel, match=r"saved_model\.pb is truncated or corrupt"):
        load(old)


def test_a_function_that_the_initialiser_calls_is_searched(old: Path) -> None:
    def call(meta: Any) -> None:
        function = meta.graph_def.library.function.add()
        function.signature.name = "hidden"
        function.node_def.add(name="merge", op="MergeV2Checkpoints")
        meta.graph_def.node.add(name="call", op="StatefulPartitionedCall").attr["f"].func.name = "hidden"
        (node,) = (node for node in meta.graph_def.node if node.name == "start")
        node.input.append("^call")

    edit(old, call)
    refused(old, r"MergeV2Checkpoints \(first 'hidden/merge'\)")

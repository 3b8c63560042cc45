from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs_of_tensorflow_1 import Original, placeholder, values, variable
from onnxpress.errors import InvalidModel, InvalidOption, OnnxpressError, UnsupportedModel
from onnxpress_frontends.tensorflow_source import accepts, load


def test_keras_export(agree: Any, exported: Path) -> None:
    model = agree(exported)
    (image,) = model.graph.inputs
    assert (image.name, str(image.shape[0])) == ("image", "N")
    assert [value.name for value in model.graph.outputs] == ["output_0"]
    assert model.graph.name == "cnn"


def test_a_signature_is_chosen_and_gives_the_names(agree: Any, two_signatures: Path) -> None:
    double = agree(two_signatures, signature="double")
    assert ([v.name for v in double.graph.inputs], [v.name for v in double.graph.outputs]) == (["x"], ["y"])
    both = agree(two_signatures, signature="both")
    assert {value.name for value in both.graph.inputs} == {"zeta", "alpha"}
    assert {value.name: value.shape[1] for value in both.graph.outputs} == {"first": 3, "second": 3}


def test_objects_that_the_loader_cannot_make(same: Any, tf: Any, tmp_path: Path) -> None:
    """As in SavedModels of Keras 2 that keep their optimiser: nothing is there to take its slots."""

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.momentum = (tf.Variable(values(4, 3, seed=seed)) for seed in range(2))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": x @ self.weight}

    def add_slot(meta: Any) -> None:
        objects = meta.object_graph_def.nodes
        weight, momentum = (index for index, node in enumerate(objects) if node.HasField("variable"))
        slots = objects[0].slot_variables
        slots.add(slot_name="momentum", original_variable_node_id=weight, slot_variable_node_id=momentum)

    tf.saved_model.save(Module(), tmp_path / "slots")
    edit(tmp_path / "slots", add_slot)
    with pytest.raises(AttributeError, match="has no attribute 'add_slot'"):
        tf.saved_model.load(str(tmp_path / "slots"))
    expected = values(2, 4) @ values(4, 3, seed=0)
    same(Original(tmp_path / "slots", {"x": values(2, 4)}, {"y": expected}))


def test_several_signatures_must_be_told_apart(two_signatures: Path) -> None:
    with pytest.raises(InvalidOption, match="has several signatures, 'both', 'double'; name one with option"):
        load(two_signatures)
    with pytest.raises(InvalidOption, match="has no signature 'triple'; it has 'both', 'double'"):
        load(two_signatures, signature="triple")


def test_a_module_without_signatures_is_refused(tf: Any, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), tmp_path / "bare")
    with pytest.raises(UnsupportedModel, match="has no signature; save it with signatures="):
        load(tmp_path / "bare")


def test_the_graph_file_stands_for_its_folder(exported: Path) -> None:
    assert accepts(exported) and accepts(exported / "saved_model.pb")
    assert [value.name for value in load(exported / "saved_model.pb").graph.inputs] == ["image"]


def test_other_folders_are_not_accepted(tmp_path: Path) -> None:
    assert not accepts(tmp_path)
    with pytest.raises(InvalidModel, match=r"is not a SavedModel: it holds no saved_model\.pb"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_files_are_refused_in_one_line(exported: Path, tmp_path: Path, name: str, keep: float) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(exported, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(OnnxpressError, match="truncated or corrupt") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_missing_variables_are_refused(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(exported, folder)
    shutil.rmtree(folder / "variables")
    with pytest.raises(InvalidModel, match="is a truncated or corrupt SavedModel"):
        load(folder)


Save = Callable[..., Original]


@pytest.fixture
def save_v1(tf: Any, tmp_path: Path) -> Save:
    """A SavedModel of TensorFlow 1: the graph that a function builds, whose return values make the signatures."""

    def write(build: Callable[[], Any], feeds: dict[str, Any], **options: Any) -> Original:
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            signatures = build()
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            builder = v1.saved_model.Builder(str(tmp_path / "old"))
            definitions = {
                key: v1.saved_model.predict_signature_def(inputs, outputs)
                for key, (inputs, outputs) in signatures.items()
            }
            tags = options.pop("tags", ["serve"])
            builder.add_meta_graph_and_variables(session, tags, definitions, **options)
            builder.save()
            expected: dict[str, Any] = {}
            for inputs, outputs in signatures.values():
                fed = {tensor: feeds[name] for name, tensor in inputs.items() if name in feeds}
                expected |= session.run(outputs, fed) if fed else {}
        return Original(tmp_path / "old", feeds, expected)

    return write


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = folder / "saved_model.pb"
    model = SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def layer(tf: Any, *, use_resource: bool) -> tuple[Any, Any]:
    rows = placeholder(tf, "rows", None, 4)
    return rows, tf.matmul(rows, variable(tf, "weight", 4, 3, use_resource=use_resource), name="result")


@pytest.fixture
def old(tf: Any, save_v1: Save, tmp_path: Path) -> Original:
    """Its node ``loot`` would write a file, but nothing depends on it."""

    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        tf.group(tf.no_op(), name="start")
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "loot"), tensor_names=["x"], shape_and_slices=[""], tensors=[[1.0]], name="loot"
        )
        return {"serving_default": ({"rows": rows}, {"result": result})}

    return save_v1(build, {"rows": values(2, 4)})


@pytest.mark.parametrize("use_resource", [False, True])
def test_variables_of_tensorflow_1(same: Any, tf: Any, tmp_path: Path, use_resource: bool) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        rows, result = layer(tf, use_resource=use_resource)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "old"), {"x": rows}, {"y": result})
        expected = session.run(result, {rows: values(2, 4)})
    model = same(Original(tmp_path / "old", {"x": values(2, 4)}, {"y": expected}))
    assert ([v.name for v in model.graph.inputs], [v.name for v in model.graph.outputs]) == (["x"], ["y"])


def test_signatures_of_tensorflow_1(same: Any, tf: Any, save_v1: Save) -> None:
    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        return {
            "scale": ({"rows": rows}, {"scaled": tf.multiply(result, 2.0)}),
            "shift": ({"rows": rows}, {"shifted": result + 1}),
        }

    original = save_v1(build, {"rows": values(2, 4)})
    for key, output in {"scale": "scaled", "shift": "shifted"}.items():
        assert [value.name for value in same(original, signature=key).graph.outputs] == [output]
    with pytest.raises(InvalidOption, match="has several signatures, 'scale', 'shift'; name one with option"):
        load(original.source)
    with pytest.raises(InvalidOption, match="has no signature 'turn'; it has 'scale', 'shift'"):
        load(original.source, signature="turn")


def test_other_tensors_of_tensorflow_1_may_be_ends(old: Original) -> None:
    model = load(old.source, inputs=["rows"], outputs=["result/ReadVariableOp", "result"])
    assert [value.name for value in model.graph.outputs] == ["result/ReadVariableOp", "result"]


def test_the_graph_for_serving_is_taken(same: Any, tf: Any, old: Original) -> None:
    edit(old.source, lambda meta: meta.meta_info_def.tags.append("gpu"))
    same(old)
    duplicate_with_tags(old.source, "train")
    same(old)
    duplicate_with_tags(old.source, "serve", "tpu")
    with pytest.raises(
        InvalidOption, match=r"has several graphs, tagged 'gpu\+serve', 'train', 'serve\+tpu'; save the"
    ):
        load(old.source)


def duplicate_with_tags(folder: Path, *tags: str) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    model.meta_graphs.add().CopyFrom(model.meta_graphs[0])
    model.meta_graphs[-1].meta_info_def.tags[:] = tags
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


def test_the_graph_may_be_text(same: Any, old: Original) -> None:
    from google.protobuf import text_format
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = old.source / "saved_model.pb"
    (old.source / "saved_model.pbtxt").write_text(text_format.MessageToString(SavedModel.FromString(path.read_bytes())))
    path.unlink()
    assert accepts(old.source) and accepts(old.source / "saved_model.pbtxt")
    same(old)


def test_variables_that_no_output_needs_may_be_missing(same: Any, tf: Any, save_v1: Save) -> None:
    def build() -> Any:
        rows = placeholder(tf, "rows", None, 4)
        variable(tf, "weight", 4, 3, use_resource=True)
        return {"serving_default": ({"rows": rows}, {"result": tf.nn.relu(rows)})}

    original = save_v1(build, {"rows": values(2, 4)})
    shutil.rmtree(original.source / "variables")
    same(original)


def test_variables_of_another_model_are_refused(tf: Any, old: Original) -> None:
    shutil.rmtree(old.source / "variables")
    with pytest.raises(InvalidModel, match=r"variables/variables\.index does not exist; the values of the variables"):
        load(old.source)


def test_operators_that_are_not_there_do_no_harm_where_nothing_needs_them(same: Any, tf: Any, old: Original) -> None:
    edit(old.source, lambda meta: meta.graph_def.node.add(name="exotic", op="MadeUpByHorovod"))
    with pytest.raises(Exception, match="MadeUpByHorovod"):
        tf.saved_model.load(str(old.source))
    same(old)


def test_tables_that_no_output_needs_are_not_initialised(same: Any, tf: Any, save_v1: Save, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")

    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        start = tf.lookup.TextFileInitializer(str(words), tf.string, whole, tf.int64, number)
        lookup = tf.lookup.StaticHashTable(start, -1)
        text = tf.compat.v1.placeholder(tf.string, (None,), name="text")
        signatures = {"serving_default": ({"rows": rows}, {"result": result})}
        return signatures | {"words": ({"text": text}, {"index": lookup.lookup(text)})}

    original = save_v1(build, {"rows": values(2, 4)})
    words.unlink()
    same(original)


def test_a_switch_in_the_signature_is_thrown(same: Any, tf: Any, save_v1: Save) -> None:
    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        flag = tf.compat.v1.placeholder(tf.bool, (), name="phase")
        result = tf.cond(flag, lambda: tf.nn.dropout(result, rate=0.5), lambda: tf.identity(result))
        return {"serving_default": ({"rows": rows, "phase": flag}, {"result": result})}

    original = save_v1(build, {"rows": values(2, 4), "phase": False})
    assert [value.name for value in same(original).graph.inputs] == ["rows"]


def test_inputs_that_the_output_does_not_need_stay(tf: Any, save_v1: Save) -> None:
    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        return {"serving_default": ({"rows": rows, "extra": placeholder(tf, "extra", None, 2)}, {"result": result})}

    original = save_v1(build, {"rows": values(2, 4), "extra": values(2, 2)})
    assert [value.name for value in load(original.source).graph.inputs] == ["extra", "rows"]


def test_sparse_ends_are_refused(tf: Any, old: Original) -> None:
    def pack(meta: Any) -> None:
        info = meta.signature_def["serving_default"].inputs["rows"]
        info.coo_sparse.values_tensor_name = info.name

    edit(old.source, pack)
    with pytest.raises(UnsupportedModel, match="'rows' of its signature is no dense tensor; ONNX knows no other"):
        load(old.source)


@pytest.mark.parametrize("root", ["start", "result", "save/restore_all"])
def test_nothing_of_tensorflow_1_runs(same: Any, old: Original, root: str) -> None:
    """Neither initialisers nor restore operations do, nor what an output only waits for."""

    def wait_for_loot(meta: Any) -> None:
        (node,) = (node for node in meta.graph_def.node if node.name == root)
        node.input.append("^loot")
        meta.collection_def["saved_model_main_op"].node_list.value[:] = ["loot"]

    edit(old.source, wait_for_loot)
    same(old)
    assert not list(old.source.parent.glob("loot*"))


def test_an_output_that_reads_a_file_is_refused(tf: Any, save_v1: Save, tmp_path: Path) -> None:
    def build() -> Any:
        rows, result = layer(tf, use_resource=True)
        size = tf.cast(tf.strings.length(tf.io.read_file(str(tmp_path / "secret"))), tf.float32)
        return {"serving_default": ({"rows": rows}, {"result": result * size})}

    original = save_v1(build, {})
    with pytest.raises(UnsupportedModel, match=r"run code or touch files: ReadFile \(first 'ReadFile'\); such a model"):
        load(original.source)


def test_functions_of_tensorflow_1_are_searched(tf: Any, old: Original) -> None:
    def call(meta: Any) -> None:
        function = meta.graph_def.library.function.add()
        function.signature.name = "hidden"
        function.signature.output_arg.add(name="out", type=1)
        python = function.node_def.add(name="python", op="PyFunc")
        python.attr["token"].s = b"token"
        function.ret["out"] = "python:output:0"
        node = meta.graph_def.node.add(name="call", op="StatefulPartitionedCall")
        node.attr["f"].func.name = "hidden"
        for caller in (python, node):
            caller.attr["Tin"].list.SetInParent()
            caller.attr["Tout"].list.type.append(1)
        meta.signature_def["serving_default"].outputs["result"].name = "call:0"

    edit(old.source, call)
    with pytest.raises(UnsupportedModel, match=r"run code or touch files: PyFunc \(first 'hidden_\w+/python'\)"):
        load(old.source)


def test_a_root_without_signatures_is_corrupt(two_signatures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    shutil.copytree(two_signatures, folder)

    def forget(meta: Any) -> None:
        root = meta.object_graph_def.nodes[0]
        for index in reversed(range(len(root.children))):
            if root.children[index].local_name == "signatures":
                del root.children[index]

    edit(folder, forget)
    with pytest.raises(InvalidModel, match="is a truncated or corrupt SavedModel: its root is no model"):
        load(folder)

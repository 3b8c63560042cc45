"""One message for what has no ONNX form: operators, counts, first nodes, and a cut that works when it is followed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.runtime import Session
from onnxpress_frontends.mapping.foreign_ops import REWRITTEN
from onnxpress_frontends.tensorflow_source import load, reference

WEIGHT = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def refusal(source: Any) -> str:
    with pytest.raises(UnsupportedModel) as caught:
        load(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def suggestions(message: str) -> list[dict[str, list[str]]]:
    """The options of each suggestion in a message."""
    cuts = re.findall(r"part (?:before|after) them with ((?:--\w+ [^\s]+ ?)+)", message)
    return [{name: value.strip(",").split(",") for name, value in re.findall(r"--(\w+) (\S+)", cut)} for cut in cuts]


def agrees(source: Any, options: dict[str, list[str]]) -> Any:
    """Convert with the options of a suggestion, and compare with TensorFlow under the same options."""
    model = load(source, **options)
    session, expected = Session(model), reference(source, **options)
    generator = np.random.default_rng(1)
    feeds = {
        port.name: generator.integers(0, 3, [size if isinstance(size, int) else 5 for size in port.shape]).astype(
            port.dtype
        )
        for port in session.inputs
    }
    actual, wanted = session.run(feeds), expected.run(feeds)
    assert list(actual) == list(wanted) == options["outputs"]
    for name, array in wanted.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    return model


@pytest.fixture(scope="module")
def lookup(tf: Any) -> Any:
    """Strings to ids through a table, an embedding, a layer."""

    class Lookup(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            words = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
            self.table = tf.lookup.StaticHashTable(words, 0)
            self.embedding = tf.Variable(np.arange(24, dtype=np.float32).reshape(3, 8) / 24)

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="text")])
        def __call__(self, text: Any) -> Any:
            ids = self.table.lookup(tf.strings.regex_replace(tf.strings.regex_replace(text, "A", "a"), "B", "b"))
            return tf.nn.softmax(tf.gather(self.embedding, ids) @ WEIGHT)

    return Lookup()


def test_operators_are_counted_and_the_part_after_them_is_offered(lookup: Any) -> None:
    message = refusal(lookup)
    assert message == (
        "the model uses TensorFlow ops that have no ONNX form: LookupTableFindV2 (1, first "
        "'None_Lookup/LookupTableFindV2'), StaticRegexReplace (2, first 'StaticRegexReplace'); convert the part after "
        "them with --inputs None_Lookup/LookupTableFindV2 --outputs output"
    )
    model = agrees(lookup, *suggestions(message))
    assert [node.op_type for node in model.graph] == ["Gather", "MatMul", "Softmax"]


def test_a_saved_model_can_be_cut_inside_its_calls(lookup: Any, tf: Any, tmp_path: Path) -> None:
    tf.saved_model.save(lookup, tmp_path, signatures=lookup.__call__.get_concrete_function())
    (options,) = suggestions(refusal(tmp_path))
    assert options["inputs"] == ["StatefulPartitionedCall/None_Lookup/LookupTableFindV2"]
    agrees(tmp_path, options)


def test_what_comes_together_before_the_first_layer_is_one_input(keras: Any) -> None:
    words = keras.Input((), dtype="string", name="words")
    vectorized = keras.layers.TextVectorization(output_sequence_length=5, vocabulary=["a", "b"], name="ids")(words)
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(4, 6)(vectorized))
    model = keras.Model(words, keras.layers.Dense(3, name="scores")(pooled), name="text")
    message = refusal(model)
    assert "LookupTableFindV2 (1, " in message and "StringSplitV2 (1, " in message
    (options,) = suggestions(message)
    assert len(options["inputs"]) == 1 and options["outputs"] == ["scores"]
    agrees(model, options)


def test_decoding_is_cut_off_in_front_of_a_network(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="file")])
    def classify(file: Any) -> Any:
        image = tf.image.resize(tf.io.decode_jpeg(file, channels=3), (8, 8))[None]
        return tf.nn.conv2d(image, np.ones((3, 3, 3, 2), np.float32), 1, "SAME")

    (options,) = suggestions(refusal(classify))
    model = agrees(classify, options)
    assert model.graph.inputs[0].dtype.name == "UINT8"


def test_the_part_before_is_offered_with_all_that_leaves_it(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 8), name="x")])
    def sparse(x: Any) -> Any:
        found = tf.sparse.from_dense(tf.nn.relu(x @ WEIGHT))
        return tf.sparse.to_dense(tf.sparse.add(found, found))

    message = refusal(sparse)
    assert "SparseAdd (1, first 'SparseAdd'); convert the part before them with --outputs" in message
    (options,) = suggestions(message)
    assert len(options["outputs"]) == 2  # places and values, not the shape
    agrees(sparse, options)


def test_both_parts_are_offered_the_larger_first(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 8), name="x")])
    def middle(x: Any) -> Any:
        y = tf.math.digamma(tf.nn.relu(x @ WEIGHT, name="stem"), name="special")
        return tf.nn.relu(tf.nn.relu(y @ WEIGHT.T) @ WEIGHT)

    message = refusal(middle)
    assert message.endswith(
        "convert the part after them with --inputs special --outputs output, "
        "or the part before them with --outputs stem"
    )
    for options in suggestions(message):
        agrees(middle, options)


def test_a_loop_with_a_foreign_operator_is_left_as_a_whole(tf: Any) -> None:
    def loop(x: Any) -> Any:
        (x,) = tf.while_loop(lambda x: tf.reduce_sum(x) > 0, lambda x: (tf.math.lgamma(x),), (x @ WEIGHT,))
        return x @ WEIGHT.T

    looping = tf.function(loop, input_signature=[tf.TensorSpec((None, 8), name="x")])
    message = refusal(looping)
    assert "Lgamma (1, first " in message
    assert [sorted(options) for options in suggestions(message)] == [["outputs"], ["inputs", "outputs"]]
    for options in suggestions(message):
        agrees(looping, options)


def test_a_loop_of_tensorflow_1_is_left_as_a_whole(tf: Any, tmp_path: Path) -> None:
    tf.compat.v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, (None, 8), name="x")
            y = tf.while_loop(
                lambda i, y: i < 3, lambda i, y: (i + 1, tf.math.lgamma(tf.nn.relu(y))), (0, x @ WEIGHT), name="loop"
            )[1]
            tf.nn.softmax(y @ WEIGHT.T, name="scores")
    finally:
        tf.compat.v1.enable_control_flow_v2()
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    before, behind = suggestions(refusal(path))
    assert before == {"outputs": ["matmul"]}
    for options in (before, behind):
        agrees(path, options)


def test_where_nothing_else_is_worth_converting_no_cut_is_offered(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def special(x: Any) -> Any:
        return tf.math.digamma(x, name="first") + tf.math.digamma(x + 1, name="second")

    assert refusal(special) == (
        "the model uses TensorFlow ops that have no ONNX form: Digamma (2, first 'first'); "
        "replace these layers by ones built of ordinary ops"
    )


def test_a_graph_file_can_follow_the_suggestion(tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 8), name="x")
        y = tf.math.digamma(tf.nn.relu(x @ WEIGHT, name="stem"), name="special")
        tf.nn.softmax(y @ WEIGHT.T, name="scores")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    both = suggestions(refusal(path))
    assert both == [{"outputs": ["stem"]}, {"inputs": ["special"], "outputs": ["scores"]}]
    for options in both:
        agrees(path, options)


def test_numbers_written_as_text_are_refused_unless_they_are_integers(tf: Any) -> None:
    def written(x: Any) -> Any:
        return tf.strings.as_string(x)

    assert "AsString (1, " in refusal(tf.function(written, input_signature=[tf.TensorSpec((None,), name="x")]))
    integers = tf.function(written, input_signature=[tf.TensorSpec((None,), tf.int32, name="x")])
    assert Session(load(integers)).run({"x": np.array([-3, 12], np.int32)})["output"].tolist() == ["-3", "12"]


def test_the_list_of_rewritten_operators_holds_what_tf2onnx_s_rewriters_name(tf: Any) -> None:
    """An operator that a rewriter of tf2onnx replaces, and that has no handler, must not be refused beforehand."""
    import tf2onnx
    from tf2onnx.handler import tf_op

    folder = Path(tf2onnx.__file__).parent
    text = "".join(path.read_text() for path in sorted(folder.glob("rewriter/*.py")))
    named = {word for quoted in re.findall(r"['\"]([A-Za-z0-9|]+)['\"]", text) for word in quoted.split("|")}
    unmapped = {name for name in named if hasattr(tf.raw_ops, name)} - tf_op.create_mapping(17, []).keys()
    ours = {"AssignVariableOp", "AssignSubVariableOp", "MutableHashTableV2"}  # no graph that is frozen holds these
    assert {name for name in unmapped - ours if not name.startswith("QuantizeAndDequantize")} <= REWRITTEN

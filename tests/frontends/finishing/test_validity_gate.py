from __future__ import annotations

from typing import Any

import onnx
import onnx_ir as ir
import pytest

from onnxpress import model_files
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.testing import model as parse
from onnxpress_frontends.finishing.validity_gate import check, refuse_foreign_ops
from onnxpress_frontends.tensorflow_source import load


def test_operators_without_onnx_form_are_listed_with_count_and_first_node(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def special(x: Any) -> Any:
        y = tf.math.digamma(x, name="first")
        return tf.math.digamma(y, name="second") + tf.math.igamma(x, y, name="third")

    with pytest.raises(UnsupportedModel) as caught:
        load(special)
    assert str(caught.value).startswith(
        "the model uses TensorFlow ops that have no ONNX form: Digamma (2, first 'first'), Igamma (1, first 'third'); "
        "replace these layers by ones built of ordinary ops"
    )


def test_python_in_a_function_is_refused(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def python(x: Any) -> Any:
        return tf.numpy_function(lambda a: a, [x], tf.float32)

    with pytest.raises(UnsupportedModel, match=r"no ONNX form: PyFunc \(1, first "):
        load(python)


def test_foreign_operators_are_found_inside_subgraphs() -> None:
    model = parse(
        "agraph (bool c, float[2] x) => (float[2] y) {"
        " y = If (c) <then_branch = t () => (float[2] a) { a = Relu(x) },"
        "             else_branch = e () => (float[2] b) { b = Neg(x) }> }"
    )
    refuse_foreign_ops(model)
    next(node for node in model.graph.all_nodes() if node.op_type == "Neg").op_type = "Negate"
    with pytest.raises(UnsupportedModel, match=r"Negate \(1"):
        refuse_foreign_ops(model)


def test_an_operator_younger_than_the_opset_is_foreign() -> None:
    model = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph[0].op_type = "Gelu"
    with pytest.raises(UnsupportedModel, match=r"Gelu \(1"):
        refuse_foreign_ops(model)
    model.opset_imports[""] = 20
    refuse_foreign_ops(model)


def test_what_the_checker_rejects_is_refused() -> None:
    model = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph[0].attributes["unheard"] = ir.AttrInt64("unheard", 1)
    with pytest.raises(InvalidModel, match="the conversion gave a graph that ONNX rejects: Unrecognized attribute"):
        check(model)


def test_what_onnxruntime_rejects_is_refused() -> None:
    model = parse("agraph (bfloat16[2] x) => (bfloat16[2] y) { y = Erf(x) }")
    onnx.checker.check_model(model_files.to_proto(model), full_check=True)
    with pytest.raises(InvalidModel, match=r"onnxruntime rejects the model: .*Erf"):
        check(model)

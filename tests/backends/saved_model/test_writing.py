from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import OnnxpressError, UnsupportedModel
from onnxpress.runtime import Session
from onnxpress.testing import model as parse
from onnxpress_frontends import tensorflow_source
from saved_models import Written, weights


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_it_gives_what_onnxruntime_gives(tf: Any, network: ir.Model, images: Any, written: Written) -> None:
    expected = Session(network).run({"image": images})["scores"]
    loaded = tf.saved_model.load(str(written(network)))
    close(loaded(images), expected)
    close(loaded({"image": images}), expected)
    served = loaded.signatures["serving_default"](image=tf.constant(images[:2]))
    assert list(served) == ["scores"]
    close(served["scores"], expected[:2])


def test_what_it_offers_is_that_of_reusable_saved_models(tf: Any, network: ir.Model, written: Written) -> None:
    loaded = tf.saved_model.load(str(written(network)))
    assert {variable.name: tuple(variable.shape) for variable in loaded.variables} == {
        "kernel:0": (3, 3, 3, 6),
        **dict.fromkeys(("scale:0", "offset:0", "mean:0", "variance:0", "bias:0"), (6,)),
        "depthwise:0": (3, 3, 6, 1),
        "dense:0": (6, 4),
    }
    untrained = {variable.name for variable in loaded.variables if not variable.trainable}
    assert untrained == {"mean:0", "variance:0"}
    assert len(loaded.trainable_variables) == 6
    assert list(loaded.regularization_losses) == []


def test_several_inputs_come_one_by_one_or_as_a_list_or_by_name(tf: Any, written: Written) -> None:
    text = """
    agraph (float[N,2] one, float[N,2] another, float[2] w) => (float[N,2] total, float[N,2] part) {
      part = Mul(another, w)
      total = Sub(one, part)
    }
    """
    model = parse(text, **weights(w=(2,)))
    model.graph.outputs[0].name = "sum/of.it"
    loaded = tf.saved_model.load(str(written(model)))
    one, another = np.array([[3.0, 4.0]], np.float32), np.array([[1.0, 2.0]], np.float32)
    expected = Session(model).run({"one": one, "another": another})
    by_name = {"another": tf.constant(another), "one": tf.constant(one)}
    for given in ((one, another), ([one, another],), (by_name,)):
        for training in (False, True):
            outputs = loaded(*given, training=training)
            assert outputs.keys() == expected.keys()
            for name, array in expected.items():
                close(outputs[name], array)
    served = loaded.signatures["serving_default"](**by_name)
    for name, array in expected.items():
        close(served[name], array)


def test_names_that_python_does_not_allow_stay_in_the_signature(tf: Any, written: Written) -> None:
    model = parse("agraph (float[N,2] x, float[2] w) => (float[N,2] y) { y = Mul(x, w) }", **weights(w=(2,)))
    model.graph.inputs[0].name, model.graph.outputs[0].name = "input.1", "scope/out"
    source = tensorflow_source.load(written(model))
    assert [value.name for value in (*source.graph.inputs, *source.graph.outputs)] == ["input.1", "scope/out"]


def test_what_is_served_comes_back_as_onnx(network: ir.Model, images: Any, written: Written) -> None:
    back = tensorflow_source.load(written(network))
    assert [value.name for value in (*back.graph.inputs, *back.graph.outputs)] == ["image", "scores"]
    feeds = {"image": images}
    close(Session(back).run(feeds)["scores"], Session(network).run(feeds)["scores"])


def test_images_enter_with_their_channels_last_on_request(
    tf: Any, network: ir.Model, images: Any, written: Written
) -> None:
    loaded = tf.saved_model.load(str(written(network, nhwc=True)))
    close(loaded(images.transpose(0, 2, 3, 1)), Session(network).run({"image": images})["scores"])


def test_written_twice_it_is_the_same_byte_by_byte(network: ir.Model, written: Written) -> None:
    first, second = contents(written(network, "first")), contents(written(network, "second"))
    assert {"saved_model.pb", "fingerprint.pb", "assets/onnxpress_weights.json"} < first.keys()
    assert first == second


def test_an_initialiser_that_lies_in_two_ways_is_one_variable(tf: Any, written: Written) -> None:
    text = """
    agraph (float[N,3] x, float[3,3] w, float s) => (float[N,3] y, float[N,3] z) {
      y = MatMul(x, w)
      t = Gemm<transB = 1>(y, w)
      z = Mul(t, s)
    }
    """
    model = parse(text, **weights(w=(3, 3), s=()))
    loaded = tf.saved_model.load(str(written(model)))
    x = np.eye(3, dtype=np.float32)
    assert [(variable.name, variable.trainable) for variable in loaded.variables] == [("w:0", True), ("s:0", False)]
    loaded.variables[0].assign(2 * loaded.variables[0])
    expected = Session(model).run({"x": x})
    close(loaded(x)["y"], 2 * expected["y"])
    close(loaded(x)["z"], 4 * expected["z"])


def test_an_input_that_nothing_reads_stays(tf: Any, written: Written) -> None:
    text = """
    agraph (float[N,2] x, float[N,2] unused, float[2] w) => (float[N,2] y, float[N,2] x2) {
      y = Mul(x, w)
      x2 = Identity(x)
    }
    """
    loaded = tf.saved_model.load(str(written(parse(text, **weights(w=(2,))))))
    x = np.ones((1, 2), np.float32)
    close(loaded(x, 5 * x)["x2"], x)


def test_the_map_says_where_every_initialiser_is(network: ir.Model, written: Written) -> None:
    content = json.loads((written(network) / "assets" / "onnxpress_weights.json").read_text())
    rows = {row["initializer"]: row for row in content["weights"]}
    assert rows.keys() == set(network.graph.initializers)
    assert sorted(row["variable"] for row in rows.values()) == list(range(8))
    assert rows["kernel"]["arrangement"] == {"view": [6, 3, 3, 3], "perm": [2, 3, 1, 0], "shape": [3, 3, 3, 6]}


def test_a_saved_model_is_replaced_and_nothing_else_is(network: ir.Model, written: Written, tmp_path: Path) -> None:
    folder = written(network)
    (folder / "variables" / "stale").write_text("old")
    assert "variables/stale" not in contents(written(network))
    (folder / "notes").write_text("dear")
    with pytest.raises(OnnxpressError, match=r"model holds a SavedModel and 'notes', which would be lost; name a"):
        written(network)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary").write_text("dear")
    with pytest.raises(OnnxpressError, match=r"home holds something that is no SavedModel; name a folder that is new"):
        written(network, "home")
    assert (folder / "notes").is_file()
    assert list(contents(tmp_path / "home")) == ["diary"]


def test_the_folder_that_the_user_is_in_is_left_alone(
    network: ir.Model, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(network))
    with pytest.raises(OnnxpressError, match=r"model is the folder you are in, or is around it; name a folder inside"):
        written(network)


def test_inputs_that_a_signature_cannot_tell_apart_are_refused(written: Written) -> None:
    model = parse("agraph (float[N,2] x, float[N,2] z) => (float[N,2] y) { y = Add(x, z) }")
    model.graph.inputs[0].name, model.graph.inputs[1].name = "a.b", "A_b"
    with pytest.raises(UnsupportedModel, match=r"cannot tell input 'A_b' from 'a.b'; rename it in the model"):
        written(model)


def test_what_is_refused_leaves_nothing(written: Written, tmp_path: Path) -> None:
    model = parse(
        '<ir_version: 10, opset_import: ["" : 17, "com.example" : 1]> agraph (float[1] x) => (float[1] y)'
        "{ y = com.example.Unknown(x) }"
    )
    model.graph.outputs[0].dtype = ir.DataType.FLOAT
    with pytest.raises(UnsupportedModel, match="Unknown"):
        written(model)
    assert list(tmp_path.iterdir()) == []

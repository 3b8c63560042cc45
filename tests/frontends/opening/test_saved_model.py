from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

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


def test_a_saved_model_of_tensorflow_1(agree: Any, tf: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        rows = tf.compat.v1.placeholder(tf.float32, (None, 4))
        weight = tf.compat.v1.get_variable("weight", (4, 3), use_resource=False)
        session.run(weight.initializer)
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "old"), {"rows": rows}, {"result": rows @ weight})
    model = agree(tmp_path / "old")
    assert ([v.name for v in model.graph.inputs], [v.name for v in model.graph.outputs]) == (["rows"], ["result"])


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

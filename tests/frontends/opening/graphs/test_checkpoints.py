from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder, values, variable
from onnxpress.errors import InvalidModel
from onnxpress_frontends.opening.graphs.checkpoints import find_prefix
from onnxpress_frontends.tensorflow_source import accepts, load


@pytest.mark.parametrize("name", ["model.meta", "model.index", "model.data-00000-of-00001", "model", "checkpoint", ""])
def test_every_file_of_a_checkpoint_stands_for_it(same: Any, plain: Any, name: str) -> None:
    source = plain.source.parent / name
    assert accepts(source)
    assert same(plain, source).graph.name == "model"


@pytest.mark.parametrize("name", [".meta", ".index", ""])
def test_the_base_name_may_be_empty(same: Any, plain: Any, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    for file in plain.source.parent.glob("model.*"):
        shutil.copy(file, folder / file.name.removeprefix("model"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/someone/experiments/17/"\n')
    assert same(plain, folder / name).graph.name == "bare"


def test_the_latest_checkpoint_of_a_folder_is_inside_it(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "../../secret/model-7"\n')
    assert find_prefix(tmp_path) == f"{tmp_path}/model-7"
    with pytest.raises(
        InvalidModel, match=r"model-7\.meta does not exist; a checkpoint holds values only\W put the graph"
    ):
        load(tmp_path)


def test_a_windows_path_in_the_folder_s_file(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "C:\\\\train\\\\model-7"\n')
    assert find_prefix(tmp_path) == f"{tmp_path}/model-7"


def test_values_that_are_missing(plain: Any) -> None:
    plain.source.with_suffix(".index").unlink()
    with pytest.raises(InvalidModel, match=r"model\.index does not exist; the values of the variables are in it, put"):
        load(plain.source)


def test_data_that_are_missing_or_corrupt(plain: Any) -> None:
    data = plain.source.parent / "model.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[5] ^= 4
    data.write_bytes(content)
    with pytest.raises(InvalidModel, match=r"checkpoint .*model is truncated or corrupt: '\w+' cannot be read: "):
        load(plain.source)
    data.unlink()
    with pytest.raises(InvalidModel, match=r"checkpoint .*model is truncated or corrupt: .*data-00000-of-00001"):
        load(plain.source)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_truncated_index(plain: Any, keep: float) -> None:
    index = plain.source.with_suffix(".index")
    content = index.read_bytes()
    index.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InvalidModel, match=r"checkpoint .*model is truncated or corrupt: ") as caught:
        load(plain.source)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_from_before_release_0_12(same: Any, make: Any, tf: Any) -> None:
    def build() -> None:
        tf.matmul(placeholder(tf, "x", None, 4), variable(tf, "weight", 4, 3, use_resource=False), name="y")

    original = make(build, {"x": values(2, 4)}, ["y"], write_version=1)
    assert not original.source.with_suffix(".index").exists()
    same(original)


def test_paths_that_are_no_checkpoint(tmp_path: Path) -> None:
    assert find_prefix(tmp_path) is None
    assert find_prefix(tmp_path / "model") is None
    with pytest.raises(InvalidModel, match=r"none\.meta does not exist; a checkpoint holds values only"):
        load(tmp_path / "none.meta")


def test_a_folder_s_file_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model-7\nall: "x"\n')
    assert find_prefix(tmp_path) == f"{tmp_path}/"


def test_the_prefix_on_its_own_way_through_core(plain: Any, tmp_path: Path) -> None:
    from onnxpress.workflow import convert

    result = convert(plain.source.with_suffix(""), out=tmp_path / "model.onnx", outputs=["y"])
    assert (tmp_path / "model.onnx").is_file() and [value.name for value in result.model.graph.outputs] == ["y"]

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx_ir as ir
import pytest

from onnxpress import hookimpl
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Backend
from onnxpress.registry import Registry
from onnxpress.testing import model
from onnxpress.workflow import convert, find_backend


def _folder(source: ir.Model, path: Path) -> list[Path]:
    path.joinpath("deep").mkdir(parents=True)
    for name, text in (("a", "12345"), ("deep/b", "123")):
        (path / name).write_text(text)
    return [path]


class Writers:
    @hookimpl
    def onnxpress_backends(self) -> Iterable[Backend]:
        yield Backend(name="file", summary="Files.", emit=_folder, suffixes=(".abc",))
        yield Backend(name="folder", summary="Folders.", emit=_folder, suffixes=("/",))


@pytest.fixture
def registry() -> Registry:
    return Registry(Writers(), installed=False)


@pytest.mark.parametrize(
    ("out", "name"),
    [("m.abc", "file"), ("m.abc/", "folder"), ("m", "folder"), ("m.v2/", "folder"), ("{}/there.v2", "folder")],
)
def test_the_look_of_the_output_chooses_the_backend(registry: Registry, tmp_path: Path, out: str, name: str) -> None:
    (tmp_path / "there.v2").mkdir()
    assert find_backend(out.format(tmp_path), registry).name == name


def test_a_suffix_that_nobody_writes_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidOption, match=r"no backend writes 'm.v2'; .*\.abc \(file\), / \(folder\)"):
        find_backend("m.v2", registry)


def test_a_folder_counts_with_all_its_files(tmp_path: Path) -> None:
    registry = Registry(Writers())
    source = model("agraph (float[1] x) => (float[1] y) { y = Relu(x) }")
    run = convert(source, out=f"{tmp_path}/new/", backend="folder", registry=registry).run
    assert (run.files, run.size_after) == ([str(tmp_path / "new")], 8)


def test_what_lies_beside_the_model_does_not_count(tmp_path: Path) -> None:
    def emit(source: ir.Model, path: Path) -> list[Path]:
        beside = path.with_name("m_simulation.abc")
        path.write_text("12345")
        beside.write_text("123")
        return [path, beside]

    class Writer:
        @hookimpl
        def onnxpress_backends(self) -> Iterable[Backend]:
            yield Backend(name="two", summary="Two files.", emit=emit, extras=("_simulation.abc",))

    source = model("agraph (float[1] x) => (float[1] y) { y = Relu(x) }")
    run = convert(source, out=tmp_path / "m.abc", backend="two", registry=Registry(Writer())).run
    assert (len(run.files), run.size_after) == (2, 5)
